package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.errors.LogAndContinueExceptionHandler;
import org.apache.kafka.streams.errors.TopologyException;
import org.apache.kafka.streams.test.TestRecord;

/** One case, run: its outputs, stores, description and topics as bytes, or the error. */
final class Run {
    private static final Instant WALL_CLOCK = Instant.ofEpochMilli(1_000_000);
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    private final JsonNode given;
    private final Properties properties;
    private final Map<String, Set<String>> keys = new HashMap<>();
    private final ObjectNode answer = JSON.objectNode();

    Run(JsonNode given, Path folder) {
        this.given = given;
        this.properties = properties(given.path("config"), folder);
    }

    ObjectNode answer() {
        Steps steps;
        Topology topology;
        TopologyTestDriver driver;
        try {
            steps = Steps.from(given.get("topology"));
            topology = steps.build(properties);
            driver = new TopologyTestDriver(topology, properties, WALL_CLOCK);
        } catch (Functions.UnknownNameException unknown) {
            throw unknown;
        } catch (RuntimeException refused) {
            return error(refused, "build");
        }
        ArrayNode described = answer.putArray("describe");
        topology.describe().toString().lines().forEach(described::add);
        try {
            pipe(driver, steps);
            answer.set("topics", written(driver, steps));
            answer.set("stores", new StoreRows(driver, steps.scope, keys).of(given.get("topology")));
        } finally {
            close(driver);
        }
        return answer;
    }

    private void pipe(TopologyTestDriver driver, Steps steps) {
        int number = 0;
        for (JsonNode input : given.get("inputs")) {
            try {
                pipe(driver, steps, input);
            } catch (RuntimeException failure) {
                ((ObjectNode) error(failure, "input").get("error")).put("input", number);
                return;
            }
            number++;
        }
    }

    private void note(String topic, byte[] key) {
        if (key != null) {
            keys.computeIfAbsent(topic, ignored -> new HashSet<>()).add(HexFormat.of().formatHex(key));
        }
    }

    private void pipe(TopologyTestDriver driver, Steps steps, JsonNode input) {
        if (input.has("advance_wall_clock_ms")) {
            driver.advanceWallClockTime(Duration.ofMillis(input.get("advance_wall_clock_ms").asLong()));
            return;
        }
        String topic = input.get("topic").asText();
        Types types = steps.scope.inputs.get(topic);
        Headers headers = new RecordHeaders();
        for (JsonNode header : input.path("headers")) {
            headers.add(header.get(0).asText(), header.get(1).asText().getBytes(StandardCharsets.UTF_8));
        }
        byte[] value = input.has("value_hex")
            ? HexFormat.of().parseHex(input.get("value_hex").asText())
            : bytes(types.value(), input.get("value"));
        byte[] key = bytes(types.key(), input.get("key"));
        note(topic, key);
        driver.createInputTopic(topic, new ByteArraySerializer(), new ByteArraySerializer())
            .pipeInput(new TestRecord<>(key, value, headers, input.get("timestamp").asLong()));
    }

    private static byte[] bytes(String type, JsonNode value) {
        return Types.plain(type).serializer().serialize("", Functions.constant(value));
    }

    /** Every topic's records, as bytes; and those of sinks, as objects, among `outputs`. */
    private ObjectNode written(TopologyTestDriver driver, Steps steps) {
        ObjectNode topics = JSON.objectNode();
        ObjectNode outputs = answer.putObject("outputs");
        steps.scope.outputs.keySet().stream().filter(topic -> !topic.endsWith("*")).forEach(outputs::putArray);
        for (String topic : new TreeSet<>(driver.producedTopicNames())) {
            Types types = typesOf(topic, steps.scope.outputs);
            ArrayNode rows = topics.putArray(topic);
            var records = driver.createOutputTopic(topic, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            for (TestRecord<byte[], byte[]> record : records.readRecordsToList()) {
                rows.add(Rows.raw(record));
                note(topic, record.key());
                if (types != null) {
                    outputs.withArray(topic).add(Rows.read(record, types));
                }
            }
        }
        return topics;
    }

    private static Types typesOf(String topic, Map<String, Types> outputs) {
        return outputs.entrySet().stream()
            .filter(of -> of.getKey().endsWith("*")
                ? topic.startsWith(of.getKey().substring(0, of.getKey().length() - 1))
                : topic.equals(of.getKey()))
            .map(Map.Entry::getValue)
            .findFirst()
            .orElse(null);
    }

    private ObjectNode error(RuntimeException failure, String when) {
        ObjectNode error = answer.putObject("error");
        error.put("kind", kind(failure)).put("when", when);
        answer.put("message", failure + " / " + failure.getCause());
        return answer;
    }

    private static String kind(RuntimeException failure) {
        if (failure instanceof TopologyException) {
            return "topology";
        }
        if (failure instanceof IllegalArgumentException) {
            return "invalid_argument";
        }
        if (failure instanceof NullPointerException) {
            return "null_argument";
        }
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof SerializationException) {
                return "serialization";
            }
        }
        return "streams";
    }

    private static void close(TopologyTestDriver driver) {
        try {
            driver.close();
        } catch (RuntimeException afterAnError) {
            // a task that failed may fail again when it is closed; the answer stands
        }
    }

    private static Properties properties(JsonNode config, Path folder) {
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, "app");
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "none:9092");
        properties.put(StreamsConfig.STATE_DIR_CONFIG, folder.toString());
        properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        properties.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Types.Guessing.class);
        properties.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Types.Guessing.class);
        long interval = config.path("emit_interval_ms").asLong(0);
        properties.put("__emit.interval.ms.kstreams.outer.join.spurious.results.fix__", interval);
        properties.put("__emit.interval.ms.kstreams.windowed.aggregation__", interval);
        if (config.path("optimization").asText().equals("all")) {
            properties.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
        }
        if (config.path("deserialization_handler").asText().equals("continue")) {
            properties.put(
                StreamsConfig.DESERIALIZATION_EXCEPTION_HANDLER_CLASS_CONFIG, LogAndContinueExceptionHandler.class);
        }
        return properties;
    }

    static ObjectNode headersOf(ObjectNode row, Headers headers, boolean hex) {
        if (headers.toArray().length > 0) {
            ArrayNode shown = row.putArray("headers");
            for (Header header : headers) {
                String value = header.value() == null ? null
                    : hex ? HexFormat.of().formatHex(header.value())
                    : new String(header.value(), StandardCharsets.UTF_8);
                shown.addArray().add(header.key()).add(value);
            }
        }
        return row;
    }
}
