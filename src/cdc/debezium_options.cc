#include "cdc/debezium_options.h"

#include <algorithm>

namespace millrace::cdc {
namespace {

// clang-format off
constexpr std::string_view kNames[] = {
    "binary.handling.mode", "column.exclude.list", "column.include.list", "column.propagate.source.type",
    "config.action.reload", "connection.validation.timeout.ms", "connector.class", "connector.plugin.version",
    "converters", "custom.metric.tags", "custom.sanitize.pattern", "database.dbname", "database.exclude.list",
    "database.hostname", "database.include.list", "database.initial.statements", "database.password",
    "database.port", "database.query.timeout.ms", "database.sslcert", "database.sslfactory", "database.sslkey",
    "database.sslmode", "database.sslpassword", "database.sslrootcert", "database.tcpKeepAlive", "database.user",
    "datatype.propagate.source.type", "decimal.handling.mode", "errors.log.enable", "errors.log.include.messages",
    "errors.max.retries", "errors.retry.delay.max.ms", "errors.retry.timeout", "errors.tolerance",
    "event.converting.failure.handling.mode", "event.processing.failure.handling.mode", "exactly.once.support",
    "executor.shutdown.timeout.ms", "extended.headers.enabled", "field.name.adjustment.mode", "flush.lsn.source",
    "guardrail.collections.limit.action", "guardrail.collections.max", "header.converter",
    "header.converter.plugin.version", "heartbeat.action.query", "heartbeat.interval.ms", "heartbeat.topics.prefix",
    "hstore.handling.mode", "include.schema.comments", "include.unknown.datatypes",
    "incremental.snapshot.allow.schema.changes", "incremental.snapshot.chunk.size",
    "incremental.snapshot.watermarking.strategy", "internal.advanced.metrics.enable",
    "internal.legacy.snapshot.max.threads", "internal.log.position.check.enable",
    "internal.offset.activity.monitor.interval.ms", "internal.signal.processor.semaphore.wait.ms",
    "internal.signal.synchronous.batch.size", "internal.snapshot.scan.all.columns.force", "interval.handling.mode",
    "key.converter", "key.converter.plugin.version", "legacy.snapshot.max.threads", "lsn.flush.mode",
    "lsn.flush.timeout.action", "lsn.flush.timeout.ms", "max.batch.size", "max.queue.size",
    "max.queue.size.in.bytes", "memory.management.schemas.class", "memory.management.tables.class",
    "message.key.columns", "message.prefix.exclude.list", "message.prefix.include.list", "name",
    "notification.enabled.channels", "notification.http.allow.private.networks", "notification.http.retries",
    "notification.http.timeout.ms", "notification.http.url", "notification.sink.topic.name",
    "offset.mismatch.strategy", "offsets.storage.topic", "openlineage.integration.config.file.path",
    "openlineage.integration.dataset.kafka.bootstrap.servers", "openlineage.integration.enabled",
    "openlineage.integration.job.description", "openlineage.integration.job.namespace",
    "openlineage.integration.job.owners", "openlineage.integration.job.tags", "plugin.name", "poll.interval.ms",
    "post.processors", "predicates", "provide.transaction.metadata", "publication.autocreate.mode",
    "publication.name", "publish.via.partition.root", "query.fetch.size", "read.only",
    "replica.identity.autoset.values", "retriable.restart.connector.wait.ms", "schema.exclude.list",
    "schema.include.list", "schema.name.adjustment.mode", "schema.refresh.mode", "signal.data.collection",
    "signal.emit.failure.backoff.ms", "signal.emit.failure.max.retries", "signal.enabled.channels", "signal.file",
    "signal.kafka.bootstrap.servers", "signal.kafka.groupId", "signal.kafka.poll.timeout.ms", "signal.kafka.topic",
    "signal.poll.interval.ms", "skip.messages.without.change", "skipped.operations", "slot.drop.on.stop",
    "slot.failover", "slot.max.retries", "slot.name", "slot.retry.delay.ms", "slot.seek.to.known.offset.on.start",
    "slot.stream.params", "snapshot.delay.ms", "snapshot.fetch.size", "snapshot.include.collection.list",
    "snapshot.isolation.mode", "snapshot.lock.timeout.ms", "snapshot.locking.mode",
    "snapshot.locking.mode.custom.name", "snapshot.max.threads", "snapshot.max.threads.multiplier", "snapshot.mode",
    "snapshot.mode.configuration.based.snapshot.data", "snapshot.mode.configuration.based.snapshot.on.data.error",
    "snapshot.mode.configuration.based.snapshot.on.schema.error",
    "snapshot.mode.configuration.based.snapshot.schema", "snapshot.mode.configuration.based.start.stream",
    "snapshot.mode.custom.name", "snapshot.query.mode", "snapshot.query.mode.custom.name",
    "snapshot.select.statement.overrides", "snapshot.tables.order.by.row.count", "sourceinfo.struct.maker",
    "statistics.metrics.enabled", "status.update.interval.ms", "streaming.delay.ms", "table.exclude.list",
    "table.ignore.builtin", "table.include.list", "tasks.max", "tasks.max.enforce", "time.precision.mode",
    "toasted.value.placeholder", "tombstones.on.delete", "topic.cache.size", "topic.creation.groups",
    "topic.delimiter", "topic.heartbeat.prefix", "topic.naming.strategy", "topic.prefix", "topic.transaction",
    "transaction.boundary", "transaction.boundary.interval.ms", "transaction.metadata.factory", "transaction.topic",
    "transforms", "unavailable.value.placeholder", "value.converter", "value.converter.plugin.version",
    "xmin.fetch.interval.ms",
};

// Families: anything that begins with one of these.
constexpr std::string_view kPrefixes[] = {
    "column.mask.hash.", "column.mask.with.", "column.truncate.to.", "converters.", "database.", "driver.",
    "errors.deadletterqueue.", "header.converter.", "key.converter.", "notification.", "predicates.", "signal.",
    "snapshot.select.statement.overrides.", "topic.creation.", "transforms.", "value.converter.", "producer.override.",
    "post.processors.", "openlineage.", "internal.",
};
// clang-format on

}  // namespace

bool is_debezium_option(std::string_view name) {
  if (std::binary_search(std::begin(kNames), std::end(kNames), name)) return true;
  return std::any_of(std::begin(kPrefixes), std::end(kPrefixes), [&](auto prefix) { return name.starts_with(prefix); });
}

}  // namespace millrace::cdc
