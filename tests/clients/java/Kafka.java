import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The clients of one broker, and names that no other run uses. */
final class Kafka {
    static final Duration PATIENCE = Duration.ofSeconds(20);

    private final String bootstrap;
    private final String prefix;

    Kafka(String bootstrap, String prefix) {
        this.bootstrap = bootstrap;
        this.prefix = prefix;
    }

    String name(String name) {
        return prefix + name;
    }

    /** The name without what makes it this run's. */
    String plain(String name) {
        return name.startsWith(prefix) ? name.substring(prefix.length()) : name;
    }

    Admin admin() {
        return Admin.create(with(Map.of("request.timeout.ms", 15000, "default.api.timeout.ms", 20000)));
    }

    KafkaProducer<byte[], byte[]> producer(Map<String, Object> changes) {
        return new KafkaProducer<>(with(changes), new ByteArraySerializer(), new ByteArraySerializer());
    }

    KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> changes) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", false);
        settings.put("fetch.max.wait.ms", 50);
        settings.putAll(changes);
        return new KafkaConsumer<>(with(settings), new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    String topic(Admin admin, String name, int partitions) throws Exception {
        admin.createTopics(List.of(new NewTopic(name(name), partitions, (short) 1))).all().get();
        until(() -> partitionCount(admin, name(name)) == partitions);
        return name(name);
    }

    /** As the broker has it, which may learn of a topic a little after its making was answered; 0 for no topic. */
    static int partitionCount(Admin admin, String topic) throws Exception {
        try {
            return admin.describeTopics(List.of(topic)).topicNameValues().get(topic).get().partitions().size();
        } catch (ExecutionException unknown) {
            return 0;
        }
    }

    /** Waits for what becomes true soon; goes on in any case, so that what is noted then tells that it did not. */
    static void until(Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.call() && System.nanoTime() < end) {
            Thread.sleep(20);
        }
    }

    static RecordMetadata send(KafkaProducer<byte[], byte[]> producer, String topic, int partition, String value)
        throws Exception {
        return producer.send(new ProducerRecord<>(topic, partition, bytes(value), bytes(value))).get();
    }

    /** Polls until as many records are there, and gives their values, in order of partition and offset. */
    static List<String> read(KafkaConsumer<byte[], byte[]> consumer, int count) {
        List<ConsumerRecord<byte[], byte[]>> found = new ArrayList<>();
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (found.size() < count && System.nanoTime() < end) {
            consumer.poll(Duration.ofMillis(50)).forEach(found::add);
        }
        TreeSet<String> values = new TreeSet<>();
        found.forEach(record -> values.add(record.partition() + "@" + record.offset() + "=" + text(record.value())));
        return new ArrayList<>(values);
    }

    static List<String> partitions(Iterable<TopicPartition> partitions) {
        TreeSet<String> found = new TreeSet<>();
        partitions.forEach(partition -> found.add(String.valueOf(partition.partition())));
        return new ArrayList<>(found);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return bytes == null ? "null" : new String(bytes, StandardCharsets.UTF_8);
    }

    private Map<String, Object> with(Map<String, Object> changes) {
        Map<String, Object> settings = new HashMap<>(changes);
        settings.put("bootstrap.servers", bootstrap);
        settings.put("enable.metrics.push", false);
        return settings;
    }
}
