import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;

/** Transactions committed, aborted, fenced and timed out, with offsets of a group in them. */
final class Transactions implements Scenario {
    @Override
    public void run(Kafka kafka, Results results) throws Exception {
        try (Admin admin = kafka.admin()) {
            String topic = kafka.topic(admin, "transactional", 2);
            try (KafkaProducer<byte[], byte[]> producer = transactional(kafka, "one", 60000)) {
                ended(kafka, admin, results, producer, topic);
                offsets(kafka, admin, results, producer, topic);
                fenced(kafka, results, producer, topic);
            }
            timedOut(kafka, admin, results, kafka.topic(admin, "timed-out", 1));
        }
    }

    private static void ended(
        Kafka kafka, Admin admin, Results results, KafkaProducer<byte[], byte[]> producer, String topic)
        throws Exception {
        for (int round = 0; round < 4; round++) {
            String value = "round-" + round;
            boolean commit = round % 2 == 0;
            results.note(value, () -> {
                producer.beginTransaction();
                List<Long> offsets = new ArrayList<>();
                for (int partition = 0; partition < 2; partition++) {
                    offsets.add(Kafka.send(producer, topic, partition, value).offset());
                }
                offsets.add(endOffset(kafka, topic, "read_committed"));
                offsets.add(endOffset(kafka, topic, "read_uncommitted"));
                return offsets;
            });
            results.note(value + " described", () -> described(kafka, admin, "one"));
            results.note(value + (commit ? " committed" : " aborted"), () -> {
                if (commit) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                }
                return completed(kafka, admin, topic);
            });
        }
        results.note("nothing to abort", () -> {
            producer.beginTransaction();
            producer.abortTransaction();
            return null;
        });
        results.note("nothing to commit", () -> {
            producer.beginTransaction();
            producer.commitTransaction();
            return null;
        });
        for (String isolation : List.of("read_committed", "read_uncommitted")) {
            results.note(isolation, () -> read(kafka, topic, isolation, isolation.equals("read_committed") ? 4 : 8));
        }
        results.note("afterwards", () -> described(kafka, admin, "one"));
    }

    @SuppressWarnings("removal") // the only way to speak of a member that is none
    private static void offsets(
        Kafka kafka, Admin admin, Results results, KafkaProducer<byte[], byte[]> producer, String topic)
        throws Exception {
        String group = kafka.name("in-transaction");
        TopicPartition partition = new TopicPartition(topic, 0);
        for (int offset : new int[] {3, 1}) {
            boolean commit = offset == 3;
            results.note("offset " + offset + (commit ? " committed" : " aborted"), () -> {
                producer.beginTransaction();
                Map<TopicPartition, OffsetAndMetadata> sent = Map.of(partition, new OffsetAndMetadata(offset, "m"));
                producer.sendOffsetsToTransaction(sent, nobody(kafka, group));
                if (commit) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                }
                completed(kafka, admin, topic);
                return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(partition)
                    .offset();
            });
        }
        results.note("a member that is none", () -> {
            producer.beginTransaction();
            Map<TopicPartition, OffsetAndMetadata> sent = Map.of(partition, new OffsetAndMetadata(4));
            producer.sendOffsetsToTransaction(
                sent, new ConsumerGroupMetadata(kafka.name("fenced"), 5, "nobody", Optional.empty()));
            return null;
        });
        results.note("abort after that", () -> {
            producer.abortTransaction();
            return null;
        });
    }

    private static void fenced(
        Kafka kafka, Results results, KafkaProducer<byte[], byte[]> producer, String topic) throws Exception {
        producer.beginTransaction();
        Kafka.send(producer, topic, 0, "zombie");
        try (KafkaProducer<byte[], byte[]> heir = transactional(kafka, "one", 60000)) {
            results.note("the zombie writes", () -> Kafka.send(producer, topic, 0, "again"));
            results.note("the zombie commits", () -> {
                producer.commitTransaction();
                return null;
            });
            results.note("the heir", () -> {
                heir.beginTransaction();
                Kafka.send(heir, topic, 0, "heir");
                heir.commitTransaction();
                return read(kafka, topic, "read_committed", 5);
            });
        }
    }

    private static void timedOut(Kafka kafka, Admin admin, Results results, String topic) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = transactional(kafka, "slow", 1000)) {
            producer.beginTransaction();
            Kafka.send(producer, topic, 0, "late");
            Kafka.until(() -> described(kafka, admin, "slow").toString().contains("COMPLETE_ABORT"));
            results.note("timed out", () -> described(kafka, admin, "slow"));
            results.note("commit after the timeout", () -> {
                producer.commitTransaction();
                return null;
            });
            results.note("abort after the timeout", () -> {
                producer.abortTransaction();
                return null;
            });
        }
        results.note("nothing of it is there", () -> endOffset(kafka, topic, "read_committed"));
    }

    /** The group as somebody knows it who is no member of it. */
    private static ConsumerGroupMetadata nobody(Kafka kafka, String group) {
        try (KafkaConsumer<byte[], byte[]> consumer = kafka.consumer(Map.of("group.id", group))) {
            return consumer.groupMetadata();
        }
    }

    /** Markers may be written after the answer. */
    private static long completed(Kafka kafka, Admin admin, String topic) throws Exception {
        Kafka.until(() -> described(kafka, admin, "one").toString().contains("COMPLETE"));
        return endOffset(kafka, topic, "read_committed");
    }

    private static KafkaProducer<byte[], byte[]> transactional(Kafka kafka, String name, int timeoutMs) {
        KafkaProducer<byte[], byte[]> producer = kafka.producer(Map.of(
            "transactional.id", kafka.name(name), "transaction.timeout.ms", timeoutMs, "max.block.ms", 20000));
        producer.initTransactions();
        return producer;
    }

    private static long endOffset(Kafka kafka, String topic, String isolation) {
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaConsumer<byte[], byte[]> consumer = kafka.consumer(Map.of("isolation.level", isolation))) {
            return consumer.endOffsets(List.of(partition)).get(partition);
        }
    }

    private static Object read(Kafka kafka, String topic, String isolation, int count) {
        try (KafkaConsumer<byte[], byte[]> consumer = kafka.consumer(Map.of("isolation.level", isolation))) {
            consumer.assign(List.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1)));
            consumer.seekToBeginning(consumer.assignment());
            return Kafka.read(consumer, count);
        }
    }

    private static Object described(Kafka kafka, Admin admin, String name) throws Exception {
        String id = kafka.name(name);
        TransactionDescription found =
            admin.describeTransactions(List.of(id)).description(id).get();
        return List.of(found.state().name(), found.transactionTimeoutMs(),
            Kafka.partitions(found.topicPartitions()), found.transactionStartTimeMs().isPresent());
    }
}
