import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Offsets by every question that can be asked, before and after records are deleted. */
final class Offsets implements Scenario {
    /** For a partition that does not exist: the client asks again until its time is over. */
    private static final OffsetSpec NONE = OffsetSpec.latest();

    @Override
    public void run(Kafka kafka, Results results) throws Exception {
        try (Admin admin = kafka.admin(); KafkaProducer<byte[], byte[]> producer = kafka.producer(Map.of())) {
            TopicPartition partition = new TopicPartition(kafka.topic(admin, "timed", 1), 0);
            for (long timestamp : new long[] {1000, 3000, 2000, 5000, 4000}) {
                producer.send(new ProducerRecord<>(partition.topic(), 0, timestamp, null, Kafka.bytes("v"))).get();
            }
            Map<String, OffsetSpec> asked = new LinkedHashMap<>();
            asked.put("earliest", OffsetSpec.earliest());
            asked.put("latest", OffsetSpec.latest());
            asked.put("largest timestamp", OffsetSpec.maxTimestamp());
            asked.put("from 2500", OffsetSpec.forTimestamp(2500));
            asked.put("from 6000", OffsetSpec.forTimestamp(6000));
            asked.put("earliest local", OffsetSpec.earliestLocal());
            asked.put("latest tiered", OffsetSpec.latestTiered());
            asked.forEach((name, spec) -> results.note(name, () -> told(admin, partition, spec)));
            results.note("no such partition",
                () -> told(admin, new TopicPartition(partition.topic(), 9), NONE));

            results.note("deleted", () -> deleted(admin, partition, 2));
            results.note("deleted again", () -> deleted(admin, partition, 1));
            results.note("deleted beyond the end", () -> deleted(admin, partition, 99));
            asked.forEach((name, spec) -> results.note("then " + name, () -> told(admin, partition, spec)));
            try (KafkaConsumer<byte[], byte[]> consumer = kafka.consumer(Map.of("auto.offset.reset", "none"))) {
                consumer.assign(List.of(partition));
                consumer.seek(partition, 0);
                results.note("reading what is gone", () -> Kafka.read(consumer, 1));
                consumer.seek(partition, 2);
                results.note("reading the rest", () -> Kafka.read(consumer, 3));
                results.note("by time", () -> consumer.offsetsForTimes(Map.of(partition, 4500L)).get(partition).offset());
                results.note("begin and end", () -> List.of(
                    consumer.beginningOffsets(List.of(partition)).get(partition),
                    consumer.endOffsets(List.of(partition)).get(partition)));
            }
            results.note("all deleted", () -> deleted(admin, partition, -1));
        }
    }

    private static Object told(Admin admin, TopicPartition partition, OffsetSpec spec) throws Exception {
        ListOffsetsOptions options = new ListOffsetsOptions().timeoutMs(spec == NONE ? 500 : 20000);
        ListOffsetsResultInfo found =
            admin.listOffsets(Map.of(partition, spec), options).partitionResult(partition).get();
        return List.of(found.offset(), found.timestamp(), found.leaderEpoch().orElse(-1));
    }

    private static Object deleted(Admin admin, TopicPartition partition, long before) throws Exception {
        return admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(before)))
            .lowWatermarks().get(partition).get().lowWatermark();
    }
}
