import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.CreateTopicsResult;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.Uuid;

/** Topics made, described by name and by id, grown and deleted; and what is refused. */
final class Topics implements Scenario {
    @Override
    public void run(Kafka kafka, Results results) throws Exception {
        try (Admin admin = kafka.admin()) {
            String topic = kafka.name("topic");
            NewTopic wanted = new NewTopic(topic, 3, (short) 1).configs(Map.of("retention.ms", "3600000"));
            CreateTopicsResult made = admin.createTopics(List.of(wanted));
            results.note("made", () -> made.numPartitions(topic).get() + "/" + made.replicationFactor(topic).get());
            results.note("made with config", () -> made.config(topic).get().get("retention.ms").value());
            Uuid id = made.topicId(topic).get();
            Kafka.until(() -> Kafka.partitionCount(admin, topic) == 3);
            refused(kafka, admin, results);

            results.note("by name", () -> admin.describeTopics(List.of(topic)).topicNameValues().get(topic)
                .thenApply(found -> described(kafka, found)).get());
            results.note("the same id", () -> admin.describeTopics(List.of(topic)).topicNameValues().get(topic)
                .get().topicId().equals(id));
            results.note("by id", () -> admin.describeTopics(TopicCollection.ofTopicIds(List.of(id)))
                .topicIdValues().get(id).thenApply(found -> described(kafka, found)).get());
            Uuid nobodys = Uuid.randomUuid();
            results.note("by an unknown id", () -> admin.describeTopics(TopicCollection.ofTopicIds(List.of(nobodys)))
                .topicIdValues().get(nobodys).get());
            results.note("by an unknown name", () -> admin.describeTopics(List.of(kafka.name("none")))
                .topicNameValues().get(kafka.name("none")).get());
            results.note("is listed", () -> admin.listTopics().names().get().contains(topic));

            results.note("grown", () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get());
            results.note("not shrunk",
                () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all().get());
            Kafka.until(() -> Kafka.partitionCount(admin, topic) == 5);
            results.note("has grown", () -> Kafka.partitionCount(admin, topic));

            results.note("deleted by id", () -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get());
            results.note("not deleted twice",
                () -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get());
            results.note("no topic of that name", () -> admin.deleteTopics(List.of(topic)).all().get());
            Uuid again = admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).topicId(topic).get();
            results.note("made again, it is another", () -> !again.equals(id));
            results.note("deleted by name", () -> admin.deleteTopics(List.of(topic)).all().get());
        }
    }

    private static void refused(Kafka kafka, Admin admin, Results results) {
        CreateTopicsOptions check = new CreateTopicsOptions().validateOnly(true);
        Map<String, NewTopic> wanted = new TreeMap<>();
        wanted.put("exists", new NewTopic(kafka.name("topic"), 1, (short) 1));
        wanted.put("bad name", new NewTopic("a b", 1, (short) 1));
        wanted.put("no partitions", new NewTopic(kafka.name("x"), 0, (short) 1));
        wanted.put("two replicas", new NewTopic(kafka.name("x"), 1, (short) 2));
        wanted.put("unknown config",
            new NewTopic(kafka.name("x"), 1, (short) 1).configs(Map.of("retention.hours", "1")));
        wanted.put("bad config", new NewTopic(kafka.name("x"), 1, (short) 1).configs(Map.of("retention.ms", "long")));
        wanted.put("would do", new NewTopic(kafka.name("x"), 1, (short) 1));
        wanted.forEach((why, topic) -> results.note("new topic: " + why,
            () -> admin.createTopics(List.of(topic), check).all().get()));
    }

    private static Object described(Kafka kafka, TopicDescription found) {
        Collection<String> partitions = new ArrayList<>();
        for (TopicPartitionInfo each : found.partitions()) {
            partitions.add(each.partition() + ": " + each.replicas().size() + "/" + each.isr().size());
        }
        return List.of(kafka.plain(found.name()), found.isInternal(), partitions);
    }
}
