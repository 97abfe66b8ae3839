package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.SessionWindowedCogroupedKStream;
import org.apache.kafka.streams.kstream.SessionWindowedKStream;
import org.apache.kafka.streams.kstream.TimeWindowedCogroupedKStream;
import org.apache.kafka.streams.kstream.TimeWindowedKStream;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;
import org.apache.kafka.streams.state.Stores;

/** What the steps so far have made, and what steps have in common. */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Scope {
    private static final List<Class<?>> WINDOWED = List.of(
        TimeWindowedKStream.class,
        SessionWindowedKStream.class,
        TimeWindowedCogroupedKStream.class,
        SessionWindowedCogroupedKStream.class);

    final StreamsBuilder builder = new StreamsBuilder();
    final Map<String, Object> made = new HashMap<>();
    final Map<String, Types> types = new HashMap<>();
    /** Of each topic that is read. */
    final Map<String, Types> inputs = new HashMap<>();
    /** Of each topic that is written; the key of a sink that chooses its topics is their prefix and `*`. */
    final Map<String, Types> outputs = new LinkedHashMap<>();

    /** Whether the step says where its result is kept. */
    static boolean isKept(JsonNode step) {
        return step.has("store") || step.has("store_type") || step.has("history_ms");
    }

    /** How the step's result is kept; an aggregation in windows is kept by the keys without them. */
    Materialized kept(JsonNode step) {
        Types as = typesOf(step);
        boolean inWindows = step.has("of") && WINDOWED.stream().anyMatch(group -> group.isInstance(of(step)));
        Materialized how;
        if (step.has("history_ms")) {
            Duration history = millis(step, "history_ms");
            how = Materialized.as(Stores.persistentVersionedKeyValueStore(string(step, "store"), history));
        } else {
            how = step.has("store") ? Materialized.as(string(step, "store")) : Materialized.with(null, null);
        }
        how = how.withKeySerde(inWindows ? as.innerKeys() : as.keys()).withValueSerde(as.values());
        if (step.has("retention_ms")) {
            how = how.withRetention(millis(step, "retention_ms"));
        }
        if (step.has("store_type") && !step.has("history_ms")) {
            boolean memory = string(step, "store_type").equals("memory");
            how = how.withStoreType(memory ? BuiltInDslStoreSuppliers.IN_MEMORY : BuiltInDslStoreSuppliers.ROCKS_DB);
        }
        return how;
    }

    Types typesOf(JsonNode step) {
        JsonNode type = step.get("type");
        JsonNode input = step.has("groups") ? step.get("groups").get(0) : step;
        Types of = input.has("of") ? types.get(string(input, "of")) : null;
        Types.Windows windows = of == null ? null : of.windows();
        if (op(step).equals("windowed_by")) {
            JsonNode window = step.get("window");
            long size = switch (string(window, "type")) {
                case "session" -> 0;
                case "sliding" -> window.get("difference_ms").asLong();
                case "unlimited" -> Long.MAX_VALUE;
                default -> window.get("size_ms").asLong();
            };
            windows = new Types.Windows(string(window, "type").equals("session"), size);
        }
        return new Types(type.get(0).asText(), type.get(1).asText(), windows);
    }

    Object of(JsonNode step) {
        return made.get(string(step, "of"));
    }

    Object with(JsonNode step) {
        return made.get(string(step, "with"));
    }

    KStream<Object, Object> input(JsonNode step) {
        return (KStream<Object, Object>) of(step);
    }

    static Named named(JsonNode step) {
        return step.has("named") ? Named.as(string(step, "named")) : null;
    }

    static String op(JsonNode step) {
        return step.get("op").asText();
    }

    static String string(JsonNode step, String field) {
        JsonNode found = step.get(field);
        return found == null || found.isNull() ? null : found.asText();
    }

    static Duration millis(JsonNode of, String field) {
        return Duration.ofMillis(of.path(field).asLong(0));
    }
}
