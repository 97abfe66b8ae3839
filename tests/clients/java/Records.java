import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.internals.RecordHeader;

/** Records written with every codec and acknowledgement, read back whole; and what is refused. */
final class Records implements Scenario {
    @Override
    public void run(Kafka kafka, Results results) throws Exception {
        try (Admin admin = kafka.admin()) {
            for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
                String topic = kafka.topic(admin, codec, 1);
                Map<String, Object> settings = Map.of("compression.type", codec, "linger.ms", 5);
                results.note("offsets with " + codec, () -> written(kafka, topic, settings, 12));
                results.note("records with " + codec, () -> readBack(kafka, topic, 12));
            }
            for (String acks : List.of("0", "1", "all")) {
                String topic = kafka.topic(admin, "acks-" + acks, 1);
                Map<String, Object> settings = Map.of("acks", acks, "enable.idempotence", acks.equals("all"));
                results.note("offsets with acks=" + acks, () -> written(kafka, topic, settings, 3));
                results.note("records with acks=" + acks, () -> readBack(kafka, topic, 3));
            }
            refused(kafka, admin, results);
        }
    }

    private static void refused(Kafka kafka, Admin admin, Results results) throws Exception {
        String topic = kafka.topic(admin, "plain", 1);
        try (KafkaProducer<byte[], byte[]> producer = kafka.producer(Map.of("max.request.size", 3000000))) {
            results.note("too large", () -> producer.send(new ProducerRecord<>(topic, new byte[2000000])).get());
            results.note("after it", () -> Kafka.send(producer, topic, 0, "v").offset());
        }
        try (KafkaProducer<byte[], byte[]> producer = kafka.producer(Map.of("max.block.ms", 500))) {
            results.note("no such partition", () -> Kafka.send(producer, topic, 7, "v").offset());
        }
        try (KafkaProducer<byte[], byte[]> producer = kafka.producer(Map.of())) {
            results.note("made by writing", () -> Kafka.send(producer, kafka.name("made-by-writing"), 0, "v").offset());
        }
    }

    private static Object written(Kafka kafka, String topic, Map<String, Object> settings, int count)
        throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = kafka.producer(settings)) {
            for (int number = 0; number < count; number++) {
                byte[] key = number % 2 == 0 ? null : Kafka.bytes("k" + number);
                ProducerRecord<byte[], byte[]> record =
                    new ProducerRecord<>(topic, 0, 1000L + number, key, number % 5 == 0 ? null : Kafka.bytes("v" + number));
                record.headers().add(new RecordHeader("h", Kafka.bytes("x" + number)));
                sent.add(producer.send(record));
            }
        }
        List<Long> offsets = new ArrayList<>();
        for (Future<RecordMetadata> each : sent) {
            offsets.add(each.get().offset());
        }
        return List.of(offsets.get(0), offsets.get(count - 1));
    }

    private static Object readBack(Kafka kafka, String topic, int count) {
        List<String> found = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = kafka.consumer(Map.of())) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            consumer.seekToBeginning(consumer.assignment());
            long end = System.nanoTime() + Kafka.PATIENCE.toNanos();
            while (found.size() < count && System.nanoTime() < end) {
                for (ConsumerRecord<byte[], byte[]> each : consumer.poll(Duration.ofMillis(50))) {
                    found.add(each.offset() + " " + each.timestamp() + " " + each.timestampType() + " "
                        + Kafka.text(each.key()) + " " + Kafka.text(each.value()) + " "
                        + Kafka.text(each.headers().lastHeader("h").value()) + " " + each.leaderEpoch().orElse(-1));
                }
            }
        }
        return found;
    }
}
