import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;

/** A group of two members and its offsets, in either protocol; and what administrators do with it. */
final class Groups implements Scenario {
    private static final int PARTITIONS = 4;

    private final String protocol;

    Groups(String protocol) {
        this.protocol = protocol;
    }

    @Override
    public void run(Kafka kafka, Results results) throws Exception {
        String group = kafka.name(protocol + "-group");
        try (Admin admin = kafka.admin(); KafkaProducer<byte[], byte[]> producer = kafka.producer(Map.of())) {
            String topic = kafka.topic(admin, protocol + "-input", PARTITIONS);
            for (int number = 0; number < 8; number++) {
                Kafka.send(producer, topic, number % PARTITIONS, "v" + number);
            }
            members(kafka, admin, results, group, topic);
            results.note("left", () -> described(kafka, admin, group, "EMPTY"));
            resumed(kafka, results, group, topic);
            administered(kafka, admin, results, group, topic);
        }
    }

    private void members(Kafka kafka, Admin admin, Results results, String group, String topic) throws Exception {
        try (KafkaConsumer<byte[], byte[]> first = member(kafka, group, "first")) {
            first.subscribe(List.of(topic));
            results.note("alone, it reads", () -> Kafka.read(first, 8));
            results.note("alone, it has all", () -> first.assignment().size());
            results.note("it commits", () -> {
                first.commitSync();
                return committed(admin, group);
            });
            try (KafkaConsumer<byte[], byte[]> second = member(kafka, group, "second")) {
                second.subscribe(List.of(topic));
                results.note("two share", () -> settled(List.of(first, second)));
                results.note("two described", () -> described(kafka, admin, group, "STABLE"));
                results.note("listed", () -> listed(admin, group));
                results.note("with members it stays", () -> admin.deleteConsumerGroups(List.of(group)).all().get());
                results.note("offsets in use stay", () -> admin.deleteConsumerGroupOffsets(
                    group, Set.of(new TopicPartition(topic, 0))).partitionResult(new TopicPartition(topic, 0)).get());
                results.note("offsets of members are theirs", () -> admin.alterConsumerGroupOffsets(
                    group, Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(1))).all().get());
            }
            results.note("alone again", () -> settled(List.of(first)));
            first.unsubscribe();
        }
    }

    private void resumed(Kafka kafka, Results results, String group, String topic) throws Exception {
        try (KafkaConsumer<byte[], byte[]> third = member(kafka, group, "third");
            KafkaProducer<byte[], byte[]> producer = kafka.producer(Map.of())) {
            third.subscribe(List.of(topic));
            Kafka.send(producer, topic, 0, "new");
            results.note("the next goes on", () -> Kafka.read(third, 1));
            results.note("committed is told", () -> third.committed(Set.of(new TopicPartition(topic, 1)))
                .get(new TopicPartition(topic, 1)).offset());
        }
    }

    private void administered(Kafka kafka, Admin admin, Results results, String group, String topic) {
        TopicPartition partition = new TopicPartition(topic, 1);
        results.note("reset", () -> {
            admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(1, "reset"))).all().get();
            return committed(admin, group);
        });
        results.note("offset deleted", () -> {
            admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all().get();
            return committed(admin, group);
        });
        results.note("deleted", () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        results.note("not deleted twice", () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        results.note("gone", () -> admin.describeConsumerGroups(List.of(group)).all().get());
    }

    private KafkaConsumer<byte[], byte[]> member(Kafka kafka, String group, String name) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("group.id", group);
        settings.put("client.id", name);
        settings.put("group.protocol", protocol);
        if (protocol.equals("classic")) {
            settings.put("session.timeout.ms", 6000);
            settings.put("heartbeat.interval.ms", 100);
            settings.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
        }
        return kafka.consumer(settings);
    }

    /** Polls, without taking records, until the members have shared all partitions evenly for a while. */
    private static Object settled(List<KafkaConsumer<byte[], byte[]>> members) {
        long end = System.nanoTime() + Kafka.PATIENCE.toNanos();
        List<Integer> even = Collections.nCopies(members.size(), PARTITIONS / members.size());
        List<Integer> shares = List.of();
        for (int calm = 0; calm < 3 && System.nanoTime() < end; calm = shares.equals(even) ? calm + 1 : 0) {
            shares = new ArrayList<>();
            for (KafkaConsumer<byte[], byte[]> each : members) {
                each.pause(each.assignment());
                each.poll(Duration.ofMillis(100));
                shares.add(each.assignment().size());
            }
        }
        members.forEach(each -> each.resume(each.assignment()));
        return shares;
    }

    private static Object described(Kafka kafka, Admin admin, String group, String state) throws Exception {
        long end = System.nanoTime() + Kafka.PATIENCE.toNanos();
        while (true) {
            ConsumerGroupDescription found = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
            if (!found.groupState().name().equals(state) && System.nanoTime() < end) {
                Thread.sleep(50);
                continue;
            }
            TreeSet<String> members = new TreeSet<>();
            found.members().forEach(each -> members.add(each.clientId() + " " + each.host() + " "
                + each.assignment().topicPartitions().size() + " " + each.groupInstanceId().isPresent() + " "
                + each.upgraded().map(Object::toString).orElse("-")));
            return List.of(found.type().name(), found.groupState().name(), found.partitionAssignor(),
                found.isSimpleConsumerGroup(), members);
        }
    }

    private static Object listed(Admin admin, String group) throws Exception {
        List<String> found = new ArrayList<>();
        for (GroupType type : List.of(GroupType.CLASSIC, GroupType.CONSUMER)) {
            ListGroupsOptions asked = new ListGroupsOptions().withTypes(Set.of(type));
            for (GroupListing each : admin.listGroups(asked).all().get()) {
                if (each.groupId().equals(group)) {
                    found.add(type + " " + each.protocol() + " " + each.groupState().map(Enum::name).orElse("-"));
                }
            }
        }
        return found;
    }

    private static Object committed(Admin admin, String group) throws Exception {
        TreeSet<String> found = new TreeSet<>();
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((partition, offset) ->
            found.add(partition.partition() + "@" + offset.offset() + " " + offset.metadata()));
        return found;
    }
}
