package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.KeyValueMapper;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Suppressed;

/** What is done to tables; filter and map_values of streams too. */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Tables {
    private final Scope scope;

    Tables(Scope scope) {
        this.scope = scope;
    }

    Object filter(JsonNode step) {
        var fn = Functions.predicate(step.get("fn"));
        boolean not = Scope.op(step).equals("filter_not");
        if (scope.of(step) instanceof KStream stream) {
            Named named = Scope.named(step);
            if (named == null) {
                return not ? stream.filterNot(fn::test) : stream.filter(fn::test);
            }
            return not ? stream.filterNot(fn::test, named) : stream.filter(fn::test, named);
        }
        KTable<Object, Object> table = (KTable<Object, Object>) scope.of(step);
        Named named = Scope.named(step);
        if (!Scope.isKept(step)) {
            if (named == null) {
                return not ? table.filterNot(fn::test) : table.filter(fn::test);
            }
            return not ? table.filterNot(fn::test, named) : table.filter(fn::test, named);
        }
        if (named == null) {
            return not ? table.filterNot(fn::test, scope.kept(step)) : table.filter(fn::test, scope.kept(step));
        }
        return not ? table.filterNot(fn::test, named, scope.kept(step)) : table.filter(fn::test, named, scope.kept(step));
    }

    Object mapValues(JsonNode step) {
        var fn = Functions.value(step.get("fn"));
        Named named = Scope.named(step);
        if (scope.of(step) instanceof KStream stream) {
            return named == null ? stream.mapValues(fn::apply) : stream.mapValues(fn::apply, named);
        }
        KTable<Object, Object> table = (KTable<Object, Object>) scope.of(step);
        if (!Scope.isKept(step)) {
            return named == null ? table.mapValues(fn::apply) : table.mapValues(fn::apply, named);
        }
        return named == null
            ? table.mapValues(fn::apply, (Materialized) scope.kept(step))
            : table.mapValues(fn::apply, named, (Materialized) scope.kept(step));
    }

    Object suppress(JsonNode step) {
        KTable table = (KTable) scope.of(step);
        Suppressed.EagerBufferConfig eager = null;
        if (step.has("max_records")) {
            eager = Suppressed.BufferConfig.maxRecords(step.get("max_records").asLong());
        }
        if (step.has("max_bytes")) {
            long bytes = step.get("max_bytes").asLong();
            eager = eager == null ? Suppressed.BufferConfig.maxBytes(bytes) : eager.withMaxBytes(bytes);
        }
        Suppressed.StrictBufferConfig strict =
            eager == null ? Suppressed.BufferConfig.unbounded() : eager.shutDownWhenFull();
        Suppressed suppressed;
        if (Scope.string(step, "until").equals("window_closes")) {
            suppressed = Suppressed.untilWindowCloses(strict);
        } else {
            boolean stops = eager == null || step.path("full").asText().equals("shut_down");
            Duration limit = Duration.ofMillis(step.get("limit_ms").asLong());
            suppressed = Suppressed.untilTimeLimit(limit, stops ? strict : eager);
        }
        return table.suppress(step.has("named") ? suppressed.withName(Scope.string(step, "named")) : suppressed);
    }

    Object toStream(JsonNode step) {
        KTable table = (KTable) scope.of(step);
        Named named = Scope.named(step);
        if (!step.has("fn")) {
            return named == null ? table.toStream() : table.toStream(named);
        }
        var fn = Functions.key(step.get("fn"));
        KeyValueMapper<Object, Object, Object> mapper = fn::apply;
        return named == null ? table.toStream(mapper) : table.toStream(mapper, named);
    }
}
