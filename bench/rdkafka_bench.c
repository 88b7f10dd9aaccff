// The load program of bench/run: one librdkafka client that creates a topic, produces as fast as it can or at a
// fixed rate, or reads a topic from its start. Prints one JSON object. The same binary drives every broker.
//
//   rdkafka_bench create  BROKERS TOPIC PARTITIONS
//   rdkafka_bench produce BROKERS TOPIC RECORDS RECORD_BYTES RATE [key=value ...]    RATE 0: as fast as it can
//   rdkafka_bench consume BROKERS TOPIC RECORDS [key=value ...]        with group.id=G as the member of that group
//
// SIGTERM ends a producer early, with the figures so far.
// Latency runs from the moment a record was due (not from when a late client sent it) to its delivery report.
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static double cpu_seconds(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void die(const char* what, const char* why) {
  fprintf(stderr, "rdkafka_bench: %s: %s\n", what, why);
  exit(1);
}

// A histogram of nanoseconds: 64 steps in each power of two, so 1.6 % wide.
enum { kSteps = 64, kBuckets = 64 * kSteps };
static uint64_t histogram[kBuckets];
static uint64_t delivered, failed;

static int bucket_of(uint64_t ns) {
  if (ns < kSteps) return (int)ns;
  const int power = 63 - __builtin_clzll(ns);
  return (power - 5) * kSteps + (int)((ns >> (power - 6)) & (kSteps - 1));
}

static double value_of(int bucket) {
  if (bucket < kSteps) return bucket;
  const int power = bucket / kSteps + 5;
  return (double)((1ULL << power) + ((uint64_t)(bucket % kSteps) << (power - 6)));
}

static double percentile_ms(double share) {
  const uint64_t wanted = (uint64_t)(share * (double)delivered);
  uint64_t seen = 0;
  for (int i = 0; i < kBuckets; ++i) {
    seen += histogram[i];
    if (seen > wanted) return value_of(i) / 1e6;
  }
  return 0;
}

static void on_delivery(rd_kafka_t* rk, const rd_kafka_message_t* message, void* opaque) {
  (void)rk;
  (void)opaque;
  if (message->err) {
    if (failed++ == 0) fprintf(stderr, "rdkafka_bench: delivery: %s\n", rd_kafka_err2str(message->err));
    return;
  }
  ++delivered;
  const int64_t ns = now_ns() - (int64_t)(intptr_t)message->_private;
  ++histogram[bucket_of(ns > 0 ? (uint64_t)ns : 0)];
}

static rd_kafka_t* client(rd_kafka_type_t type, const char* brokers, int count, char** settings) {
  char error[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, error, sizeof error)) die("bootstrap.servers", error);
  for (int i = 0; i < count; ++i) {
    char* equals = strchr(settings[i], '=');
    if (!equals) die(settings[i], "not key=value");
    *equals = 0;
    if (rd_kafka_conf_set(conf, settings[i], equals + 1, error, sizeof error)) die(settings[i], error);
  }
  if (type == RD_KAFKA_PRODUCER) rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_t* rk = rd_kafka_new(type, conf, error, sizeof error);
  if (!rk) die("client", error);
  return rk;
}

static int create(const char* brokers, const char* topic, int partitions) {
  char error[512];
  rd_kafka_t* rk = client(RD_KAFKA_PRODUCER, brokers, 0, NULL);
  rd_kafka_NewTopic_t* wanted = rd_kafka_NewTopic_new(topic, partitions, 1, error, sizeof error);
  rd_kafka_queue_t* queue = rd_kafka_queue_new(rk);
  rd_kafka_CreateTopics(rk, &wanted, 1, NULL, queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, 30000);
  if (!event) die("create", "no answer within 30 s");
  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
  if (rd_kafka_event_error(event)) die("create", rd_kafka_event_error_string(event));
  if (count != 1 || rd_kafka_topic_result_error(results[0])) {
    die("create", count ? rd_kafka_topic_result_error_string(results[0]) : "empty answer");
  }
  rd_kafka_event_destroy(event);
  rd_kafka_NewTopic_destroy(wanted);
  rd_kafka_queue_destroy(queue);
  rd_kafka_destroy(rk);
  printf("{\"topic\": \"%s\", \"partitions\": %d}\n", topic, partitions);
  return 0;
}

// Values differ from record to record and do not compress well, as serialised events do not either.
static void fill(char* value, size_t bytes) {
  uint64_t state = 88172645463325252ULL;
  for (size_t i = 0; i < bytes; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    value[i] = (char)state;
  }
}

// A topic that was just created may not be known everywhere yet.
static int partitions_of(rd_kafka_t* rk, rd_kafka_topic_t* handle) {
  for (const int64_t end = now_ns() + 30000000000LL; now_ns() < end;) {
    const struct rd_kafka_metadata* metadata = NULL;
    if (rd_kafka_metadata(rk, 0, handle, &metadata, 30000)) die("metadata", "no answer within 30 s");
    const int partitions = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    if (partitions > 0) return partitions;
    rd_kafka_poll(rk, 50);
  }
  die("metadata", "the topic has no partitions");
  return 0;
}

static void wait_until_due(rd_kafka_t* rk, int64_t due) {
  for (int64_t left = due - now_ns(); left > 0; left = due - now_ns()) {
    rd_kafka_poll(rk, 0);
    const struct timespec pause = {0, left < 200000 ? left : 200000};
    nanosleep(&pause, NULL);
  }
}

static volatile sig_atomic_t stopping;

static void on_stop(int number) {
  (void)number;
  stopping = 1;
}

static int produce(const char* brokers, const char* topic, long records, long bytes, long rate, int n,
                   char** settings) {
  rd_kafka_t* rk = client(RD_KAFKA_PRODUCER, brokers, n, settings);
  rd_kafka_topic_t* handle = rd_kafka_topic_new(rk, topic, NULL);
  char* pool = malloc((size_t)bytes + 4096);
  fill(pool, (size_t)bytes + 4096);
  const int partitions = partitions_of(rk, handle);  // connected before the clock starts

  signal(SIGTERM, on_stop);
  const int64_t start = now_ns();
  for (long i = 0; i < records && !stopping; ++i) {
    int64_t due = now_ns();
    if (rate > 0) {
      due = start + (int64_t)((double)i * 1e9 / (double)rate);
      if (due > now_ns()) wait_until_due(rk, due);
    }
    // Runs of records to one partition, as the default partitioner makes them.
    const int32_t partition = (int32_t)((i / 16) % partitions);
    while (rd_kafka_produce(handle, partition, RD_KAFKA_MSG_F_COPY, pool + i % 4096, (size_t)bytes, NULL, 0,
                            (void*)(intptr_t)due) != 0) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        die("produce", rd_kafka_err2str(rd_kafka_last_error()));
      rd_kafka_poll(rk, 10);
      if (rate == 0) due = now_ns();
    }
    if (i % 64 == 0) rd_kafka_poll(rk, 0);
  }
  rd_kafka_flush(rk, 120000);
  const double seconds = (double)(now_ns() - start) / 1e9;
  printf(
      "{\"records\": %lu, \"failed\": %lu, \"seconds\": %.3f, \"mb_per_s\": %.2f, \"records_per_s\": %.0f, "
      "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f, \"client_cpu_s\": %.2f}\n",
      delivered, failed, seconds, (double)delivered * (double)bytes / seconds / 1e6, (double)delivered / seconds,
      percentile_ms(0.5), percentile_ms(0.99), percentile_ms(0.999), percentile_ms(0.9999999), cpu_seconds());
  rd_kafka_topic_destroy(handle);
  rd_kafka_destroy(rk);
  free(pool);
  return failed || (!stopping && delivered != (uint64_t)records);
}

// All partitions from their start.
static rd_kafka_queue_t* read_all(rd_kafka_t* rk, const char* topic) {
  rd_kafka_topic_t* handle = rd_kafka_topic_new(rk, topic, NULL);
  const int partitions = partitions_of(rk, handle);
  rd_kafka_queue_t* queue = rd_kafka_queue_new(rk);
  for (int p = 0; p < partitions; ++p) {
    if (rd_kafka_consume_start_queue(handle, p, RD_KAFKA_OFFSET_BEGINNING, queue)) die("consume", "start failed");
  }
  return queue;
}

static rd_kafka_queue_t* read_as_group(rd_kafka_t* rk, const char* topic) {
  rd_kafka_topic_partition_list_t* topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
  rd_kafka_poll_set_consumer(rk);
  if (rd_kafka_subscribe(rk, topics)) die("consume", "subscribe failed");
  return rd_kafka_queue_get_consumer(rk);
}

static int consume(const char* brokers, const char* topic, long records, int n, char** settings) {
  int grouped = 0;
  for (int i = 0; i < n; ++i) grouped |= strncmp(settings[i], "group.id=", 9) == 0;
  rd_kafka_t* rk = client(RD_KAFKA_CONSUMER, brokers, n, settings);
  const int64_t start = now_ns();
  rd_kafka_queue_t* queue = grouped ? read_as_group(rk, topic) : read_all(rk, topic);
  long seen = 0;
  uint64_t bytes = 0;
  rd_kafka_message_t* batch[1000];
  int64_t last = now_ns();
  while (seen < records) {
    const ssize_t got = rd_kafka_consume_batch_queue(queue, 1000, batch, 1000);
    for (ssize_t i = 0; i < got; ++i) {
      if (!batch[i]->err) {
        ++seen;
        bytes += batch[i]->len;
      }
      rd_kafka_message_destroy(batch[i]);
    }
    if (got > 0) last = now_ns();
    if (now_ns() - last > 30000000000LL) die("consume", "nothing came for 30 s");
  }
  const double seconds = (double)(now_ns() - start) / 1e9;
  printf("{\"records\": %ld, \"seconds\": %.3f, \"mb_per_s\": %.2f, \"records_per_s\": %.0f, \"client_cpu_s\": %.2f}\n",
         seen, seconds, (double)bytes / seconds / 1e6, (double)seen / seconds, cpu_seconds());
  fflush(stdout);
  _exit(0);  // closing a consumer waits for its outstanding fetches
}

int main(int argc, char** argv) {
  if (argc >= 5 && !strcmp(argv[1], "create")) return create(argv[2], argv[3], atoi(argv[4]));
  if (argc >= 7 && !strcmp(argv[1], "produce")) {
    return produce(argv[2], argv[3], atol(argv[4]), atol(argv[5]), atol(argv[6]), argc - 7, argv + 7);
  }
  if (argc >= 5 && !strcmp(argv[1], "consume")) {
    return consume(argv[2], argv[3], atol(argv[4]), argc - 5, argv + 5);
  }
  fprintf(stderr, "usage: see the head of bench/rdkafka_bench.c\n");
  return 2;
}
