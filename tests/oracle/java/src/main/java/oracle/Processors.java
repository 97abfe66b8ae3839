package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.Cancellable;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorSupplier;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.ProcessingContext;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.ValueAndTimestamp;

/** The processors that cases name, as processors and as fixed-key processors. */
final class Processors {
    private static final Set<String> OWN_STORES = Set.of("dedup", "running_count", "hold");

    private Processors() {}

    static boolean hasOwnStore(JsonNode spec) {
        return OWN_STORES.contains(spec.get("name").asText());
    }

    static ProcessorSupplier<Object, Object, Object, Object> supplier(JsonNode spec, Set<StoreBuilder<?>> stores) {
        return new ProcessorSupplier<>() {
            @Override
            public Processor<Object, Object, Object, Object> get() {
                return new AnyKey(spec);
            }

            @Override
            public Set<StoreBuilder<?>> stores() {
                return stores.isEmpty() ? null : stores;
            }
        };
    }

    static FixedKeyProcessorSupplier<Object, Object, Object> fixedKey(JsonNode spec, Set<StoreBuilder<?>> stores) {
        return new FixedKeyProcessorSupplier<>() {
            @Override
            public FixedKeyProcessor<Object, Object, Object> get() {
                return new SameKey(spec);
            }

            @Override
            public Set<StoreBuilder<?>> stores() {
                return stores.isEmpty() ? null : stores;
            }
        };
    }

    /** The store of a processor that brings its own. */
    @SuppressWarnings("unchecked")
    static StoreBuilder<?> ownStore(JsonNode spec, Serde<Object> key, Serde<Object> value) {
        boolean counts = spec.get("name").asText().equals("running_count");
        Serde<Object> values = counts ? (Serde<Object>) (Serde<?>) Serdes.Long() : value;
        return Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(spec.get("store").asText()), key, values);
    }

    /** Where a processor sends what it makes of the record at hand. */
    private interface Out {
        void send(Object value, long timestamp);
    }

    /** What both kinds of processors do with a record's value. */
    private static final class Values {
        private final JsonNode spec;
        private final ProcessingContext context;
        private final KeyValueStore<Object, Object> store;

        Values(JsonNode spec, ProcessingContext context) {
            this.spec = spec;
            this.context = context;
            this.store = spec.has("store") ? context.getStateStore(spec.get("store").asText()) : null;
        }

        void process(Object key, Object value, long timestamp, Out out) {
            switch (spec.get("name").asText()) {
                case "dedup" -> dedup(key, value, timestamp, out);
                case "running_count" -> count(key, timestamp, out);
                case "twice" -> {
                    out.send(value, timestamp);
                    out.send(value, timestamp + 1);
                }
                case "meta" -> out.send(
                    context.recordMetadata().map(at -> at.topic() + "/" + at.partition() + "/" + at.offset()).orElse("none"),
                    timestamp);
                case "stream_time" -> out.send(context.currentStreamTimeMs(), timestamp);
                case "lookup" -> out.send(Functions.text(value) + "~" + Functions.text(found(key)), timestamp);
                default -> throw new Functions.UnknownNameException(spec.get("name").asText());
            }
        }

        private void dedup(Object key, Object value, long timestamp, Out out) {
            if (key == null || java.util.Objects.equals(store.get(key), value)) {
                return;
            }
            store.put(key, value);
            out.send(value, timestamp);
        }

        private void count(Object key, long timestamp, Out out) {
            if (key == null) {
                return;
            }
            Long before = (Long) store.get(key);
            store.put(key, before == null ? 1 : before + 1);
            out.send(store.get(key), timestamp);
        }

        private Object found(Object key) {
            Object row = key == null ? null : store.get(key);
            return row instanceof ValueAndTimestamp<?> timed ? timed.value() : row;
        }
    }

    private static final class SameKey implements FixedKeyProcessor<Object, Object, Object> {
        private final JsonNode spec;
        private FixedKeyProcessorContext<Object, Object> context;
        private Values values;

        SameKey(JsonNode spec) {
            this.spec = spec;
        }

        @Override
        public void init(FixedKeyProcessorContext<Object, Object> given) {
            context = given;
            values = new Values(spec, given);
        }

        @Override
        public void process(FixedKeyRecord<Object, Object> record) {
            values.process(record.key(), record.value(), record.timestamp(),
                (value, timestamp) -> context.forward(record.withValue(value).withTimestamp(timestamp)));
        }
    }

    private static final class AnyKey implements Processor<Object, Object, Object, Object> {
        private final JsonNode spec;
        private final String name;
        private ProcessorContext<Object, Object> context;
        private Values values;
        private Cancellable schedule;
        private long seen;

        AnyKey(JsonNode spec) {
            this.spec = spec;
            this.name = spec.get("name").asText();
        }

        @Override
        public void init(ProcessorContext<Object, Object> given) {
            context = given;
            values = new Values(spec, given);
            if (spec.has("every_ms")) {
                PunctuationType type =
                    name.equals("wall_counter") ? PunctuationType.WALL_CLOCK_TIME : PunctuationType.STREAM_TIME;
                schedule = given.schedule(Duration.ofMillis(spec.get("every_ms").asLong()), type, this::punctuate);
            }
        }

        @Override
        public void process(Record<Object, Object> record) {
            switch (name) {
                case "stream_counter", "stream_counter_once", "wall_counter" -> seen++;
                case "hold" -> {
                    if (record.key() != null) {
                        values.store.put(record.key(), record.value());
                    }
                }
                case "route" -> route(record);
                default -> values.process(record.key(), record.value(), record.timestamp(),
                    (value, timestamp) -> context.forward(record.withValue(value).withTimestamp(timestamp)));
            }
        }

        private void route(Record<Object, Object> record) {
            seen++;
            JsonNode children = spec.get("children");
            int to = (int) (seen % (children.size() + 1));
            if (to == 0) {
                context.forward(record);
            } else {
                context.forward(record, children.get(to - 1).asText());
            }
        }

        private void punctuate(long now) {
            if (name.equals("hold")) {
                release(now);
                return;
            }
            context.forward(new Record<>("count", seen, now));
            if (name.equals("stream_counter_once")) {
                schedule.cancel();
            }
        }

        private void release(long now) {
            List<KeyValue<Object, Object>> rows = new ArrayList<>();
            try (KeyValueIterator<Object, Object> all = values.store.all()) {
                all.forEachRemaining(rows::add);
            }
            for (KeyValue<Object, Object> row : rows) {
                context.forward(new Record<>(row.key, row.value, now));
                values.store.delete(row.key);
            }
        }
    }
}
