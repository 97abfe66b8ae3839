package oracle;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HexFormat;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.test.TestRecord;

/** Records as a case shows them. */
final class Rows {
    private Rows() {}

    static ObjectNode of(Object key, Object value, Long timestamp) {
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        put(row, "key", key instanceof Windowed<?> windowed ? windowed.key() : key);
        put(row, "value", value);
        if (timestamp != null) {
            row.put("timestamp", timestamp);
        }
        if (key instanceof Windowed<?> windowed) {
            row.putObject("window").put("start", windowed.window().start()).put("end", windowed.window().end());
        }
        return row;
    }

    static ObjectNode read(TestRecord<byte[], byte[]> record, Types types) {
        Object key = record.key() == null ? null : types.keys().deserializer().deserialize("", record.key());
        Object value = record.value() == null ? null : types.values().deserializer().deserialize("", record.value());
        return Run.headersOf(of(key, value, record.timestamp()), record.headers(), false);
    }

    static ObjectNode raw(TestRecord<byte[], byte[]> record) {
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("key", hex(record.key()));
        row.put("value", hex(record.value()));
        row.put("timestamp", record.timestamp());
        return Run.headersOf(row, record.headers(), true);
    }

    private static void put(ObjectNode row, String field, Object value) {
        if (value instanceof Long number) {
            row.put(field, number);
        } else {
            row.put(field, (String) value);
        }
    }

    private static String hex(byte[] bytes) {
        return bytes == null ? null : HexFormat.of().formatHex(bytes);
    }
}
