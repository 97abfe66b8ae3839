import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.DescribeProducersResult.PartitionProducerState;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.FinalizedVersionRange;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.quota.ClientQuotaFilter;

/** What a cluster of one node says about itself. */
final class Cluster implements Scenario {
    @Override
    public void run(Kafka kafka, Results results) throws Exception {
        try (Admin admin = kafka.admin(); KafkaProducer<byte[], byte[]> producer = kafka.producer(Map.of())) {
            TopicPartition partition = new TopicPartition(kafka.topic(admin, "cluster", 1), 0);
            TopicPartition none = new TopicPartition(partition.topic(), 4);
            long size = 0;
            for (int number = 0; number < 3; number++) {
                size += Kafka.send(producer, partition.topic(), 0, "v" + number).serializedValueSize();
            }
            results.note("nodes", () -> admin.describeCluster().nodes().get().size());
            int node = admin.describeCluster().nodes().get().iterator().next().id();
            results.note("controller", () -> admin.describeCluster().controller().get().id() == node);
            results.note("transaction.version", () -> feature(admin, "transaction.version"));
            results.note("group.version", () -> feature(admin, "group.version"));
            results.note("what one may do", () -> new TreeSet<>(
                admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true))
                    .authorizedOperations().get()));
            results.note("with a topic", () -> new TreeSet<>(admin.describeTopics(
                List.of(partition.topic()), new DescribeTopicsOptions().includeAuthorizedOperations(true))
                .allTopicNames().get().get(partition.topic()).authorizedOperations()));
            results.note("access control", () -> admin.describeAcls(AclBindingFilter.ANY).values().get());
            results.note("quotas", () -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get());
            results.note("a fenced producer", () -> {
                admin.fenceProducers(List.of(kafka.name("fenced"))).all().get();
                return admin.listTransactions(new ListTransactionsOptions()
                    .filterOnTransactionalIdPattern(kafka.name(".*"))).all().get().stream()
                    .filter(each -> each.transactionalId().equals(kafka.name("fenced")))
                    .map(each -> each.state().name()).toList();
            });
            results.note("a transaction that is none",
                () -> admin.describeTransactions(List.of(kafka.name("none"))).all().get());
            results.note("producers", () -> {
                PartitionProducerState found =
                    admin.describeProducers(List.of(partition)).partitionResult(partition).get();
                ProducerState only = found.activeProducers().get(0);
                return List.of(found.activeProducers().size(), only.producerEpoch(), only.lastSequence(),
                    only.currentTransactionStartOffset().isPresent());
            });
            results.note("log folders", () -> {
                Map<String, LogDirDescription> found =
                    admin.describeLogDirs(List.of(node)).allDescriptions().get().get(node);
                LogDirDescription only = found.values().iterator().next();
                return List.of(found.size(), only.replicaInfos().get(partition).size() > 0,
                    only.replicaInfos().get(partition).isFuture());
            });
            results.note("election", () -> elected(admin, partition));
            results.note("election of none", () -> elected(admin, none));
            results.note("reassignments", () -> admin.listPartitionReassignments().reassignments().get().size());
            results.note("reassigned to where it is", () -> reassign(admin, partition, node));
            results.note("reassigned elsewhere", () -> reassign(admin, partition, node, node + 1));
            results.note("a reassignment that never was",
                () -> admin.alterPartitionReassignments(Map.of(partition, Optional.empty())).all().get());
        }
    }

    private static Object feature(Admin admin, String name) throws Exception {
        FinalizedVersionRange found =
            admin.describeFeatures().featureMetadata().get().finalizedFeatures().get(name);
        return List.of(found.minVersionLevel(), found.maxVersionLevel());
    }

    private static Object elected(Admin admin, TopicPartition partition) throws Exception {
        Optional<Throwable> error =
            admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).partitions().get().get(partition);
        return error.map(found -> found.getClass().getSimpleName()).orElse("elected");
    }

    private static Object reassign(Admin admin, TopicPartition partition, Integer... replicas) throws Exception {
        return admin.alterPartitionReassignments(
            Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(replicas))))).all().get();
    }
}
