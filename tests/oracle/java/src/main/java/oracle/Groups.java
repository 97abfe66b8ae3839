package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.CogroupedKStream;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Initializer;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KGroupedTable;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Merger;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Reducer;
import org.apache.kafka.streams.kstream.SessionWindowedCogroupedKStream;
import org.apache.kafka.streams.kstream.SessionWindowedKStream;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.TimeWindowedCogroupedKStream;
import org.apache.kafka.streams.kstream.TimeWindowedKStream;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.UnlimitedWindows;

/** Groups, windows and aggregations. */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Groups {
    private final Scope scope;

    Groups(Scope scope) {
        this.scope = scope;
    }

    Grouped<Object, Object> grouped(JsonNode step) {
        Types as = scope.typesOf(step);
        Grouped<Object, Object> grouped = Grouped.with(as.keys(), as.values());
        return step.has("named") ? grouped.withName(Scope.string(step, "named")) : grouped;
    }

    Object groupBy(JsonNode step) {
        var key = Functions.key(step.get("key_fn"));
        if (scope.of(step) instanceof KStream stream) {
            return stream.groupBy(key::apply, grouped(step));
        }
        var value = Functions.value(step.get("value_fn"));
        KTable<Object, Object> table = (KTable<Object, Object>) scope.of(step);
        return table.groupBy((k, v) -> KeyValue.pair(key.apply(k, v), value.apply(k, v)), grouped(step));
    }

    Object windowedBy(JsonNode step) {
        JsonNode window = step.get("window");
        Duration grace = Scope.millis(window, "grace_ms");
        Object group = scope.of(step);
        boolean cogrouped = group instanceof CogroupedKStream;
        switch (Scope.string(window, "type")) {
            case "session" -> {
                SessionWindows windows = SessionWindows.ofInactivityGapAndGrace(Scope.millis(window, "gap_ms"), grace);
                return cogrouped
                    ? ((CogroupedKStream) group).windowedBy(windows)
                    : ((KGroupedStream) group).windowedBy(windows);
            }
            case "sliding" -> {
                SlidingWindows windows =
                    SlidingWindows.ofTimeDifferenceAndGrace(Scope.millis(window, "difference_ms"), grace);
                return cogrouped
                    ? ((CogroupedKStream) group).windowedBy(windows)
                    : ((KGroupedStream) group).windowedBy(windows);
            }
            case "unlimited" -> {
                long start = window.path("start_ms").asLong(0);
                UnlimitedWindows windows = UnlimitedWindows.of().startOn(Instant.ofEpochMilli(start));
                return cogrouped
                    ? ((CogroupedKStream) group).windowedBy(windows)
                    : ((KGroupedStream) group).windowedBy(windows);
            }
            default -> {
                TimeWindows windows = TimeWindows.ofSizeAndGrace(Scope.millis(window, "size_ms"), grace);
                if (window.has("advance_ms")) {
                    windows = windows.advanceBy(Scope.millis(window, "advance_ms"));
                }
                return cogrouped
                    ? ((CogroupedKStream) group).windowedBy(windows)
                    : ((KGroupedStream) group).windowedBy(windows);
            }
        }
    }

    Object emitStrategy(JsonNode step) {
        EmitStrategy strategy = Scope.string(step, "on").equals("window_close")
            ? EmitStrategy.onWindowClose()
            : EmitStrategy.onWindowUpdate();
        return scope.of(step) instanceof SessionWindowedKStream sessions
            ? sessions.emitStrategy(strategy)
            : ((TimeWindowedKStream) scope.of(step)).emitStrategy(strategy);
    }

    Object count(JsonNode step) {
        Named named = Scope.named(step);
        Materialized how = scope.kept(step);
        Object group = scope.of(step);
        if (group instanceof KGroupedStream g) {
            return named == null ? g.count(how) : g.count(named, how);
        }
        if (group instanceof KGroupedTable g) {
            return named == null ? g.count(how) : g.count(named, how);
        }
        if (group instanceof SessionWindowedKStream g) {
            return named == null ? g.count(how) : g.count(named, how);
        }
        TimeWindowedKStream g = (TimeWindowedKStream) group;
        return named == null ? g.count(how) : g.count(named, how);
    }

    Object reduce(JsonNode step) {
        var fn = Functions.aggregator(step.get("fn"));
        Reducer<Object> reducer = (agg, v) -> fn.apply(null, v, agg);
        Named named = Scope.named(step);
        Materialized how = scope.kept(step);
        Object group = scope.of(step);
        if (group instanceof KGroupedTable g) {
            var take = Functions.aggregator(step.get("subtractor"));
            Reducer<Object> subtractor = (agg, v) -> take.apply(null, v, agg);
            return named == null ? g.reduce(reducer, subtractor, how) : g.reduce(reducer, subtractor, named, how);
        }
        if (group instanceof KGroupedStream g) {
            return named == null ? g.reduce(reducer, how) : g.reduce(reducer, named, how);
        }
        if (group instanceof SessionWindowedKStream g) {
            return named == null ? g.reduce(reducer, how) : g.reduce(reducer, named, how);
        }
        TimeWindowedKStream g = (TimeWindowedKStream) group;
        return named == null ? g.reduce(reducer, how) : g.reduce(reducer, named, how);
    }

    Object aggregate(JsonNode step) {
        Object first = Functions.constant(step.get("init"));
        Initializer<Object> init = () -> first;
        Named named = Scope.named(step);
        Materialized how = scope.kept(step);
        Object group = scope.of(step);
        if (!step.has("fn")) {
            return cogroupAggregate(step, init);
        }
        var fn = Functions.aggregator(step.get("fn"));
        if (group instanceof KGroupedTable g) {
            var take = Functions.aggregator(step.get("subtractor"));
            return named == null ? g.aggregate(init, fn, take, how) : g.aggregate(init, fn, take, named, how);
        }
        if (group instanceof KGroupedStream g) {
            return named == null ? g.aggregate(init, fn, how) : g.aggregate(init, fn, named, how);
        }
        if (group instanceof SessionWindowedKStream g) {
            var merger = merger(step);
            return named == null ? g.aggregate(init, fn, merger, how) : g.aggregate(init, fn, merger, named, how);
        }
        TimeWindowedKStream g = (TimeWindowedKStream) group;
        return named == null ? g.aggregate(init, fn, how) : g.aggregate(init, fn, named, how);
    }

    private static Merger<Object, Object> merger(JsonNode step) {
        var merge = Functions.aggregator(step.get("merger"));
        return (key, agg, next) -> merge.apply(key, next, agg);
    }

    Object cogroup(JsonNode step) {
        CogroupedKStream cogrouped = null;
        for (JsonNode group : step.get("groups")) {
            KGroupedStream grouped = (KGroupedStream) scope.made.get(Scope.string(group, "of"));
            var fn = Functions.aggregator(group.get("fn"));
            cogrouped = cogrouped == null ? grouped.cogroup(fn) : cogrouped.cogroup(grouped, fn);
        }
        return cogrouped;
    }

    private Object cogroupAggregate(JsonNode step, Initializer<Object> init) {
        Named named = Scope.named(step);
        Materialized how = scope.kept(step);
        if (scope.of(step) instanceof SessionWindowedCogroupedKStream g) {
            var merger = merger(step);
            return named == null ? g.aggregate(init, merger, how) : g.aggregate(init, merger, named, how);
        }
        if (scope.of(step) instanceof TimeWindowedCogroupedKStream g) {
            return named == null ? g.aggregate(init, how) : g.aggregate(init, named, how);
        }
        CogroupedKStream g = (CogroupedKStream) scope.of(step);
        return named == null ? g.aggregate(init, how) : g.aggregate(init, named, how);
    }
}
