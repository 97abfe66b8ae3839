package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.BiPredicate;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Aggregator;
import org.apache.kafka.streams.kstream.ValueJoinerWithKey;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.RecordContext;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.processor.TopicNameExtractor;

/** The functions that cases name, as their format defines them. */
final class Functions {
    private Functions() {}

    static String text(Object x) {
        if (x instanceof Windowed<?> w) {
            return w.key() + "@" + w.window().start() + "/" + w.window().end();
        }
        return String.valueOf(x);
    }

    static BiPredicate<Object, Object> predicate(JsonNode fn) {
        String name = name(fn);
        return switch (name) {
            case "value_mod" -> (k, v) -> v != null && mod(v, fn) == fn.get("r").asLong();
            case "value_at_least" -> (k, v) -> v != null && (Long) v >= fn.get("min").asLong();
            case "length_mod" -> (k, v) -> v != null && mod((long) ((String) v).length(), fn) == fn.get("r").asLong();
            case "value_starts_with" -> (k, v) -> v != null && ((String) v).startsWith(fn.get("prefix").asText());
            case "value_null" -> (k, v) -> v == null;
            case "value_not_null" -> (k, v) -> v != null;
            case "key_not_null" -> (k, v) -> k != null;
            case "key_is" -> (k, v) -> constant(fn.get("key")).equals(k);
            case "always" -> (k, v) -> true;
            case "never" -> (k, v) -> false;
            default -> throw new UnknownNameException(name);
        };
    }

    static BiFunction<Object, Object, Object> value(JsonNode fn) {
        String name = name(fn);
        return switch (name) {
            case "to_null" -> (k, v) -> null;
            case "default" -> (k, v) -> v == null ? constant(fn.get("value")) : v;
            case "key_and_value" -> (k, v) -> text(k) + "=" + text(v);
            case "same" -> unlessNull(v -> v);
            case "append" -> unlessNull(v -> v + fn.get("suffix").asText());
            case "upper" -> unlessNull(v -> ((String) v).toUpperCase());
            case "length" -> unlessNull(v -> (long) ((String) v).length());
            case "add" -> unlessNull(v -> (Long) v + fn.get("n").asLong());
            case "times" -> unlessNull(v -> (Long) v * fn.get("n").asLong());
            case "to_string" -> unlessNull(Functions::text);
            case "null_if_mod" -> unlessNull(v -> mod(v, fn) == fn.get("r").asLong() ? null : v);
            case "null_if_prefix" -> unlessNull(v -> ((String) v).startsWith(fn.get("prefix").asText()) ? null : v);
            default -> throw new UnknownNameException(name);
        };
    }

    static BiFunction<Object, Object, Object> key(JsonNode fn) {
        String name = name(fn);
        return switch (name) {
            case "same_key" -> (k, v) -> k;
            case "value_key" -> (k, v) -> v;
            case "null_key" -> (k, v) -> null;
            case "text_key" -> unlessNull(Functions::text);
            case "first_char" -> unlessNull(Functions::firstChar);
            case "key_first_char" -> (k, v) -> k == null ? null : firstChar(k);
            case "mod_key" -> unlessNull(v -> "m" + mod(v, fn));
            case "const_key" -> (k, v) -> constant(fn.get("key"));
            case "window_key" -> (k, v) -> text(k);
            case "inner_key" -> (k, v) -> ((Windowed<?>) k).key();
            default -> throw new UnknownNameException(name);
        };
    }

    static BiFunction<Object, Object, List<KeyValue<Object, Object>>> flat(JsonNode fn) {
        String name = name(fn);
        return (k, v) -> {
            List<KeyValue<Object, Object>> made = new ArrayList<>();
            if (v == null) {
                return made;
            }
            switch (name) {
                case "words" -> words(v).forEach(word -> made.add(KeyValue.pair(k, word)));
                case "words_by_word" -> words(v).forEach(word -> made.add(KeyValue.pair(word, (long) word.length())));
                case "twice" -> made.addAll(List.of(KeyValue.pair(k, v), KeyValue.pair(k, v)));
                case "upto" -> {
                    for (long n = 0; n < mod(v, fn); n++) {
                        made.add(KeyValue.pair(k, n));
                    }
                }
                default -> throw new UnknownNameException(name);
            }
            return made;
        };
    }

    static ValueJoinerWithKey<Object, Object, Object, Object> joiner(JsonNode fn) {
        String name = name(fn);
        return switch (name) {
            case "concat" -> (k, left, right) -> text(left) + "|" + text(right);
            case "concat_key" -> (k, left, right) -> text(k) + ":" + text(left) + "|" + text(right);
            case "sum" -> (k, left, right) -> number(left) + number(right);
            case "sum_or_null" -> (k, left, right) -> nullIfMod(number(left) + number(right), fn);
            case "left" -> (k, left, right) -> left;
            case "right" -> (k, left, right) -> right;
            default -> throw new UnknownNameException(name);
        };
    }

    /** Of (key, value, aggregate); it is a reducer, a subtractor or a merger too. */
    static Aggregator<Object, Object, Object> aggregator(JsonNode fn) {
        String name = name(fn);
        return switch (name) {
            case "sum" -> (k, v, agg) -> number(agg) + number(v);
            case "subtract" -> (k, v, agg) -> number(agg) - number(v);
            case "max" -> (k, v, agg) -> v == null ? agg : agg == null ? v : (Object) Math.max((Long) agg, (Long) v);
            case "min" -> (k, v, agg) -> v == null ? agg : agg == null ? v : (Object) Math.min((Long) agg, (Long) v);
            case "sum_or_null" -> (k, v, agg) -> nullIfMod(number(agg) + number(v), fn);
            case "concat" -> (k, v, agg) -> last((agg == null ? "" : agg) + text(v), fn);
            case "plus" -> (k, v, agg) -> last((agg == null ? "" : agg) + "+" + text(v), fn);
            case "minus" -> (k, v, agg) -> last((agg == null ? "" : agg) + "-" + text(v), fn);
            case "first" -> (k, v, agg) -> agg;
            case "last" -> (k, v, agg) -> v;
            case "nulls" -> (k, v, agg) -> (Long) agg + (v == null ? 1 : 0);
            default -> throw new UnknownNameException(name);
        };
    }

    static TimestampExtractor extractor(String name) {
        return switch (name) {
            case "after_at" -> (record, partitionTime) -> afterAt(record, record.timestamp());
            case "after_at_or_partition_time" -> Functions::afterAt;
            case "value_ms" -> (record, partitionTime) ->
                record.value() == null ? record.timestamp() : (Long) record.value();
            default -> throw new UnknownNameException(name);
        };
    }

    private static long afterAt(ConsumerRecord<Object, Object> record, long otherwise) {
        int at = record.value() == null ? -1 : ((String) record.value()).lastIndexOf('@');
        return at < 0 ? otherwise : Long.parseLong(((String) record.value()).substring(at + 1));
    }

    /** A record, so that `describe()` shows it as the format says. */
    record TopicByKey(String prefix) implements TopicNameExtractor<Object, Object> {
        @Override
        public String extract(Object key, Object value, RecordContext context) {
            return prefix + text(key);
        }
    }

    /** A constant of a case: a string, a number as a long, or null. */
    static Object constant(JsonNode node) {
        return node == null || node.isNull() ? null : node.isNumber() ? (Object) node.asLong() : node.asText();
    }

    private interface OfValue {
        Object apply(Object value);
    }

    private static BiFunction<Object, Object, Object> unlessNull(OfValue fn) {
        return (k, v) -> v == null ? null : fn.apply(v);
    }

    private static String name(JsonNode fn) {
        return fn.get("name").asText();
    }

    private static long mod(Object value, JsonNode fn) {
        return Math.floorMod((Long) value, fn.get("n").asLong());
    }

    private static long number(Object value) {
        return value == null ? 0 : (Long) value;
    }

    private static Object nullIfMod(long total, JsonNode fn) {
        return mod(total, fn) == fn.get("r").asLong() ? null : (Object) total;
    }

    private static String firstChar(Object value) {
        String text = (String) value;
        return text.substring(0, Math.min(1, text.length()));
    }

    private static List<String> words(Object value) {
        return List.of(((String) value).split(" ", -1));
    }

    private static String last(String joined, JsonNode fn) {
        int keep = fn.has("keep") ? fn.get("keep").asInt() : joined.length();
        return joined.substring(Math.max(0, joined.length() - keep));
    }

    /** A case names what this program does not know; it is no answer of Kafka Streams. */
    static final class UnknownNameException extends RuntimeException {
        UnknownNameException(String name) {
            super(name);
        }
    }
}
