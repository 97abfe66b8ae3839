import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListConfigResourcesOptions;
import org.apache.kafka.common.config.ConfigResource;

/** Configurations of topics told and changed. */
final class Configs implements Scenario {
    /** Set for the node of the tests, or by a feature of clusters with several nodes. */
    private static final Set<String> NOT_DEFAULT = Set.of("retention.ms", "min.insync.replicas");

    @Override
    public void run(Kafka kafka, Results results) throws Exception {
        try (Admin admin = kafka.admin()) {
            ConfigResource topic =
                new ConfigResource(ConfigResource.Type.TOPIC, kafka.topic(admin, "configured", 1));
            results.note("at first", () -> told(admin, topic));
            results.note("changed", () -> alter(admin, topic, "retention.bytes", "5000", OpType.SET));
            results.note("grown", () -> alter(admin, topic, "cleanup.policy", "compact", OpType.APPEND));
            results.note("after that", () -> toldWhen(admin, topic, "cleanup.policy", "delete,compact"));
            results.note("shrunk", () -> alter(admin, topic, "cleanup.policy", "delete", OpType.SUBTRACT));
            results.note("taken back", () -> alter(admin, topic, "retention.bytes", null, OpType.DELETE));
            results.note("at last", () -> toldWhen(admin, topic, "retention.bytes", "-1"));
            results.note("no such config", () -> alter(admin, topic, "retention.hours", "5", OpType.SET));
            results.note("no such value", () -> alter(admin, topic, "segment.ms", "soon", OpType.SET));
            results.note("no policy", () -> alter(admin, topic, "cleanup.policy", "", OpType.SET));
            results.note("too little", () -> alter(admin, topic, "retention.ms", "-2", OpType.SET));
            results.note("no such policy", () -> alter(admin, topic, "cleanup.policy", "shred", OpType.SET));
            results.note("no list", () -> alter(admin, topic, "segment.ms", "5", OpType.APPEND));
            ConfigResource none = new ConfigResource(ConfigResource.Type.TOPIC, kafka.name("none"));
            results.note("configs of no topic", () -> told(admin, none));
            results.note("change no topic", () -> alter(admin, none, "segment.ms", "5", OpType.SET));
            results.note("is listed", () -> admin.listConfigResources(
                Set.of(ConfigResource.Type.TOPIC), new ListConfigResourcesOptions())
                .all().get().contains(topic));
        }
    }

    private static Object told(Admin admin, ConfigResource resource) throws Exception {
        Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        Map<String, Object> found = new TreeMap<>();
        for (ConfigEntry entry : config.entries()) {
            if (!NOT_DEFAULT.contains(entry.name())) {
                found.put(entry.name(), entry.value() + " " + entry.source() + " " + entry.type());
            }
        }
        return found;
    }

    /** Brokers may learn of a change a little later than it is made. */
    private static Object toldWhen(Admin admin, ConfigResource resource, String name, String value) throws Exception {
        Kafka.until(() ->
            admin.describeConfigs(List.of(resource)).all().get().get(resource).get(name).value().equals(value));
        return told(admin, resource);
    }

    private static Object alter(Admin admin, ConfigResource resource, String name, String value, OpType how)
        throws Exception {
        AlterConfigOp change = new AlterConfigOp(new ConfigEntry(name, value), how);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get();
        return null;
    }
}
