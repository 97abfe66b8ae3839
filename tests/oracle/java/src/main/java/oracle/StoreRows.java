package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;
import org.apache.kafka.streams.state.VersionedKeyValueStore;
import org.apache.kafka.streams.state.VersionedRecord;
import org.apache.kafka.streams.state.WindowStore;

/** What the stores hold that a case names. */
@SuppressWarnings("unchecked")
final class StoreRows {
    private final Map<String, StateStore> stores;
    private final Scope scope;
    private final Map<String, Set<String>> keys;

    /** `keys` are those of each topic's records, in hex: a versioned store can't list its keys, its changelog can. */
    StoreRows(TopologyTestDriver driver, Scope scope, Map<String, Set<String>> keys) {
        this.stores = driver.getAllStateStores();
        this.scope = scope;
        this.keys = keys;
    }

    ObjectNode of(JsonNode topology) {
        ObjectNode found = JsonNodeFactory.instance.objectNode();
        for (JsonNode step : topology) {
            JsonNode named = step.has("processor") ? step.get("processor") : step;
            StateStore store = named.has("store") ? stores.get(named.get("store").asText()) : null;
            if (store != null) {
                if (store instanceof VersionedKeyValueStore<?, ?>) {
                    latest(step, (VersionedKeyValueStore<Object, Object>) store, found.putArray(store.name()));
                } else {
                    add(found, store.name(), store);
                }
            }
        }
        return found;
    }

    private void latest(JsonNode step, VersionedKeyValueStore<Object, Object> store, ArrayNode rows) {
        var serde = scope.typesOf(step).keys().deserializer();
        Set<String> known = new TreeSet<>(keys.getOrDefault("app-" + store.name() + "-changelog", Set.of()));
        known.addAll(keys.getOrDefault(step.path("topic").asText(), Set.of()));
        for (String hex : known) {
            Object key = serde.deserialize("", HexFormat.of().parseHex(hex));
            VersionedRecord<Object> row = store.get(key);
            if (row != null) {
                rows.add(Rows.of(key, row.value(), row.timestamp()));
            }
        }
    }

    private static void add(ObjectNode found, String name, StateStore store) {
        if (store instanceof KeyValueStore<?, ?> rows) {
            all(found.putArray(name), ((KeyValueStore<Object, Object>) rows).all());
        } else if (store instanceof WindowStore<?, ?> rows) {
            all(found.putArray(name), ((WindowStore<Object, Object>) rows).all());
        } else if (store instanceof SessionStore<?, ?> rows) {
            all(found.putArray(name), ((SessionStore<Object, Object>) rows).fetch(null, null));
        }
    }

    private static <K> void all(ArrayNode rows, KeyValueIterator<K, Object> iterator) {
        try (iterator) {
            while (iterator.hasNext()) {
                KeyValue<K, Object> row = iterator.next();
                rows.add(row.value instanceof ValueAndTimestamp<?> timed
                    ? Rows.of(row.key, timed.value(), timed.timestamp())
                    : Rows.of(row.key, row.value, null));
            }
        }
    }
}
