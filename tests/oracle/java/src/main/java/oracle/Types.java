package oracle;

import java.nio.ByteBuffer;
import java.util.Map;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.kstream.WindowedSerdes;

/** The types of a step's result; a windowed key also needs the kind and size of its windows to be read. */
record Types(String key, String value, Windows windows) {
    /** `sizeMs` is of no meaning for sessions. */
    record Windows(boolean session, long sizeMs) {}

    Serde<Object> keys() {
        return key.startsWith("windowed(") ? windowed() : plain(key);
    }

    /** Of windowed keys. */
    Serde<Object> innerKeys() {
        return plain(key.substring("windowed(".length(), key.length() - 1));
    }

    Serde<Object> values() {
        return plain(value);
    }

    @SuppressWarnings("unchecked")
    private Serde<Object> windowed() {
        Serde<?> serde = windows.session()
            ? new WindowedSerdes.SessionWindowedSerde<>(innerKeys())
            : new WindowedSerdes.TimeWindowedSerde<>(innerKeys(), windows.sizeMs());
        return (Serde<Object>) serde;
    }

    @SuppressWarnings("unchecked")
    static Serde<Object> plain(String type) {
        return (Serde<Object>) (Serde<?>) switch (type) {
            case "string" -> Serdes.String();
            case "long" -> Serdes.Long();
            default -> throw new Functions.UnknownNameException(type);
        };
    }

    /**
     * The serde of tables for which Kafka Streams knows none, because nothing in the DSL takes one there. Numbers in
     * cases are small and their texts begin with no control character, so the bytes tell the type.
     */
    public static final class Guessing implements Serde<Object> {
        @Override
        public Serializer<Object> serializer() {
            Serializer<Object> strings = plain("string").serializer();
            Serializer<Object> longs = plain("long").serializer();
            return (topic, data) -> data instanceof Long
                ? longs.serialize(topic, data)
                : strings.serialize(topic, data);
        }

        @Override
        public Deserializer<Object> deserializer() {
            Deserializer<Object> strings = plain("string").deserializer();
            return (topic, data) -> data != null && data.length == 8 && (data[0] == 0 || data[0] == -1)
                ? (Object) ByteBuffer.wrap(data).getLong()
                : strings.deserialize(topic, data);
        }

        @Override
        public void configure(Map<String, ?> configs, boolean isKey) {}
    }}
