package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.function.BiFunction;
import org.apache.kafka.streams.kstream.GlobalKTable;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.KeyValueMapper;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TableJoined;
import org.apache.kafka.streams.kstream.ValueJoiner;
import org.apache.kafka.streams.kstream.ValueJoinerWithKey;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;

/** Joins of streams and tables. */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Joins {
    private final Scope scope;

    Joins(Scope scope) {
        this.scope = scope;
    }

    Object join(JsonNode step) {
        Object other = scope.with(step);
        if (step.has("window")) {
            return streamJoin(step, (KStream) other);
        }
        if (scope.of(step) instanceof KTable table) {
            return step.has("foreign_key") ? foreignKeyJoin(step, table) : tableJoin(step, table);
        }
        if (other instanceof GlobalKTable global) {
            return globalJoin(step, global);
        }
        Types left = scope.types.get(Scope.string(step, "of"));
        Types right = scope.types.get(Scope.string(step, "with"));
        Joined joined = Joined.with(left.keys(), left.values(), right.values());
        if (step.has("named")) {
            joined = joined.withName(Scope.string(step, "named"));
        }
        if (step.has("grace_ms")) {
            joined = joined.withGracePeriod(Scope.millis(step, "grace_ms"));
        }
        ValueJoinerWithKey joiner = Functions.joiner(step.get("fn"));
        KTable table = (KTable) other;
        return Scope.op(step).equals("join")
            ? scope.input(step).join(table, joiner, joined)
            : scope.input(step).leftJoin(table, joiner, joined);
    }

    private Object globalJoin(JsonNode step, GlobalKTable table) {
        var key = Functions.key(step.get("key_fn"));
        KeyValueMapper<Object, Object, Object> mapper = key::apply;
        ValueJoinerWithKey joiner = Functions.joiner(step.get("fn"));
        KStream stream = scope.input(step);
        Named named = Scope.named(step);
        if (Scope.op(step).equals("join")) {
            return named == null
                ? stream.join(table, mapper, joiner)
                : stream.join(table, mapper, joiner, named);
        }
        return named == null
            ? stream.leftJoin(table, mapper, joiner)
            : stream.leftJoin(table, mapper, joiner, named);
    }

    private Object streamJoin(JsonNode step, KStream other) {
        JsonNode window = step.get("window");
        Duration grace = Scope.millis(window, "grace_ms");
        JoinWindows windows;
        if (window.has("difference_ms")) {
            windows = JoinWindows.ofTimeDifferenceAndGrace(Scope.millis(window, "difference_ms"), grace);
        } else {
            Duration before = Scope.millis(window, "before_ms");
            Duration after = Scope.millis(window, "after_ms");
            Duration larger = before.compareTo(after) < 0 ? after : before;
            windows = JoinWindows.ofTimeDifferenceAndGrace(larger, grace).before(before).after(after);
        }
        Types left = scope.types.get(Scope.string(step, "of"));
        Types right = scope.types.get(Scope.string(step, "with"));
        StreamJoined how = StreamJoined.with(left.keys(), left.values(), right.values());
        if (step.has("named")) {
            how = how.withName(Scope.string(step, "named"));
        }
        if (step.has("store")) {
            how = how.withStoreName(Scope.string(step, "store"));
        }
        if (step.path("store_type").asText().equals("memory")) {
            how = how.withDslStoreSuppliers(BuiltInDslStoreSuppliers.IN_MEMORY);
        }
        ValueJoinerWithKey joiner = Functions.joiner(step.get("fn"));
        KStream stream = scope.input(step);
        return switch (Scope.op(step)) {
            case "join" -> stream.join(other, joiner, windows, how);
            case "left_join" -> stream.leftJoin(other, joiner, windows, how);
            default -> stream.outerJoin(other, joiner, windows, how);
        };
    }

    private Object tableJoin(JsonNode step, KTable table) {
        KTable other = (KTable) scope.with(step);
        ValueJoinerWithKey withKey = Functions.joiner(step.get("fn"));
        ValueJoiner joiner = (left, right) -> withKey.apply(null, left, right);
        Named named = Scope.named(step);
        if (!Scope.isKept(step)) {
            return switch (Scope.op(step)) {
                case "join" -> named == null ? table.join(other, joiner) : table.join(other, joiner, named);
                case "left_join" ->
                    named == null ? table.leftJoin(other, joiner) : table.leftJoin(other, joiner, named);
                default -> named == null ? table.outerJoin(other, joiner) : table.outerJoin(other, joiner, named);
            };
        }
        Materialized how = scope.kept(step);
        return switch (Scope.op(step)) {
            case "join" -> named == null ? table.join(other, joiner, how) : table.join(other, joiner, named, how);
            case "left_join" ->
                named == null ? table.leftJoin(other, joiner, how) : table.leftJoin(other, joiner, named, how);
            default ->
                named == null ? table.outerJoin(other, joiner, how) : table.outerJoin(other, joiner, named, how);
        };
    }

    private Object foreignKeyJoin(JsonNode step, KTable table) {
        KTable other = (KTable) scope.with(step);
        BiFunction key = Functions.key(step.get("foreign_key"));
        ValueJoinerWithKey withKey = Functions.joiner(step.get("fn"));
        ValueJoiner joiner = (left, right) -> withKey.apply(null, left, right);
        boolean inner = Scope.op(step).equals("join");
        TableJoined named = step.has("named") ? TableJoined.as(Scope.string(step, "named")) : null;
        if (!Scope.isKept(step)) {
            if (named == null) {
                return inner ? table.join(other, key, joiner) : table.leftJoin(other, key, joiner);
            }
            return inner ? table.join(other, key, joiner, named) : table.leftJoin(other, key, joiner, named);
        }
        Materialized how = scope.kept(step);
        if (named == null) {
            return inner ? table.join(other, key, joiner, how) : table.leftJoin(other, key, joiner, how);
        }
        return inner ? table.join(other, key, joiner, named, how) : table.leftJoin(other, key, joiner, named, how);
    }
}
