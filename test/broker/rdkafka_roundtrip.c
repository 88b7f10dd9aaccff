/* Writes N records with an idempotent librdkafka producer, reads them back in a consumer group, commits, and
 * checks the committed offset. Usage: rdkafka_roundtrip BROKER TOPIC N */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char error[512];
static int delivered, failed;

static void die(const char* what, const char* why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static void set(rd_kafka_conf_t* conf, const char* key, const char* value) {
  if (rd_kafka_conf_set(conf, key, value, error, sizeof error) != RD_KAFKA_CONF_OK) die(key, error);
}

static void on_delivery(rd_kafka_t* rk, const rd_kafka_message_t* message, void* opaque) {
  (void)rk;
  (void)opaque;
  if (message->err) {
    fprintf(stderr, "delivery: %s\n", rd_kafka_err2str(message->err));
    failed++;
  } else {
    delivered++;
  }
}

static void produce(const char* broker, const char* topic, int count) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", broker);
  set(conf, "enable.idempotence", "true");
  set(conf, "compression.type", "lz4");
  set(conf, "linger.ms", "1");
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_t* rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
  if (!rk) die("producer", error);
  for (int i = 0; i < count; i++) {
    char value[32];
    snprintf(value, sizeof value, "value-%d", i);
    while (rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_KEY("k", 1),
                             RD_KAFKA_V_VALUE(value, strlen(value)), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                             RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_poll(rk, 100);
    }
    rd_kafka_poll(rk, 0);
  }
  rd_kafka_flush(rk, 30000);
  rd_kafka_destroy(rk);
  if (delivered != count || failed) die("producer", "not all records were delivered");
}

static void consume(const char* broker, const char* topic, int count) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", broker);
  set(conf, "group.id", "rdkafka-roundtrip");
  set(conf, "auto.offset.reset", "earliest");
  set(conf, "enable.auto.commit", "false");
  rd_kafka_t* rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
  if (!rk) die("consumer", error);
  rd_kafka_poll_set_consumer(rk);
  rd_kafka_topic_partition_list_t* topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
  if (rd_kafka_subscribe(rk, topics)) die("subscribe", "failed");
  int seen = 0, empty = 0;
  while (seen < count) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(rk, 1000);
    if (!message) {
      if (++empty > 30) die("consumer", "no more records");
      continue;
    }
    if (message->err) die("consumer", rd_kafka_message_errstr(message));
    char value[32];
    snprintf(value, sizeof value, "value-%d", seen);
    if (message->offset != seen || message->len != strlen(value) || memcmp(message->payload, value, message->len))
      die("consumer", "a record is missing or out of order");
    seen++;
    rd_kafka_message_destroy(message);
  }
  if (rd_kafka_commit(rk, NULL, 0)) die("commit", "failed");
  topics->elems[0].partition = 0;
  if (rd_kafka_committed(rk, topics, 10000) || topics->elems[0].offset != count) die("committed", "is another offset");
  rd_kafka_topic_partition_list_destroy(topics);
  rd_kafka_consumer_close(rk);
  rd_kafka_destroy(rk);
}

int main(int argc, char** argv) {
  if (argc != 4) die("usage", "rdkafka_roundtrip BROKER TOPIC N");
  const int count = atoi(argv[3]);
  produce(argv[1], argv[2], count);
  consume(argv[1], argv[2], count);
  printf("%d records back in order\n", count);
  return 0;
}
