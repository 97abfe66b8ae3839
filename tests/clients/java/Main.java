import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Runs scenarios with Kafka's own client: `Main BOOTSTRAP PREFIX [SCENARIO...]` prints what each saw as JSON. */
public final class Main {
    private static final Map<String, Scenario> SCENARIOS = new LinkedHashMap<>();

    static {
        SCENARIOS.put("topics", new Topics());
        SCENARIOS.put("configs", new Configs());
        SCENARIOS.put("records", new Records());
        SCENARIOS.put("offsets", new Offsets());
        SCENARIOS.put("classic-groups", new Groups("classic"));
        SCENARIOS.put("consumer-groups", new Groups("consumer"));
        SCENARIOS.put("transactions", new Transactions());
        SCENARIOS.put("cluster", new Cluster());
    }

    public static void main(String[] arguments) throws Exception {
        Kafka kafka = new Kafka(arguments[0], arguments[1]);
        List<String> named = Arrays.asList(arguments).subList(2, arguments.length);
        for (Map.Entry<String, Scenario> each : SCENARIOS.entrySet()) {
            if (named.isEmpty() || named.contains(each.getKey())) {
                Results results = new Results();
                each.getValue().run(kafka, results);
                System.out.println("# " + each.getKey());
                System.out.println(results.json());
            }
        }
        System.exit(0);
    }

    private Main() {}
}
