package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.BranchedKStream;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.state.StoreBuilder;

/** Sources, sinks, what is done to single records, processors. */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Streams {
    private final Scope scope;

    Streams(Scope scope) {
        this.scope = scope;
    }

    Object stream(JsonNode step) {
        if (step.has("topics")) {
            List<String> topics = new ArrayList<>();
            step.get("topics").forEach(topic -> topics.add(topic.asText()));
            return scope.builder.stream(topics, consumed(step));
        }
        return scope.builder.stream(Scope.string(step, "topic"), consumed(step));
    }

    Object to(JsonNode step) {
        Types of = scope.types.get(Scope.string(step, "of"));
        Produced<Object, Object> produced = Produced.with(of.keys(), of.values());
        if (step.has("named")) {
            produced = produced.withName(Scope.string(step, "named"));
        }
        if (step.has("topic_by_key")) {
            String prefix = Scope.string(step, "topic_by_key");
            scope.outputs.put(prefix + "*", of);
            scope.input(step).to(new Functions.TopicByKey(prefix), produced);
        } else {
            scope.outputs.put(Scope.string(step, "topic"), of);
            scope.input(step).to(Scope.string(step, "topic"), produced);
        }
        return null;
    }

    Consumed<Object, Object> consumed(JsonNode step) {
        Types as = scope.typesOf(step);
        step.path("topics").forEach(topic -> scope.inputs.put(topic.asText(), as));
        scope.inputs.putIfAbsent(Scope.string(step, "topic"), as);
        Consumed<Object, Object> consumed = Consumed.with(as.keys(), as.values());
        if (step.has("extractor")) {
            consumed = consumed.withTimestampExtractor(Functions.extractor(Scope.string(step, "extractor")));
        }
        return step.has("named") ? consumed.withName(Scope.string(step, "named")) : consumed;
    }

    Object map(JsonNode step) {
        var key = Functions.key(step.get("key_fn"));
        var value = Functions.value(step.get("value_fn"));
        return Scope.named(step) == null
            ? scope.input(step).map((k, v) -> KeyValue.pair(key.apply(k, v), value.apply(k, v)))
            : scope.input(step).map((k, v) -> KeyValue.pair(key.apply(k, v), value.apply(k, v)), Scope.named(step));
    }

    Object selectKey(JsonNode step) {
        var fn = Functions.key(step.get("fn"));
        return Scope.named(step) == null ? scope.input(step).selectKey(fn::apply) : scope.input(step).selectKey(fn::apply, Scope.named(step));
    }

    Object flatMap(JsonNode step) {
        var fn = Functions.flat(step.get("fn"));
        return Scope.named(step) == null ? scope.input(step).flatMap(fn::apply) : scope.input(step).flatMap(fn::apply, Scope.named(step));
    }

    Object flatMapValues(JsonNode step) {
        var flat = Functions.flat(step.get("fn"));
        BiFunction<Object, Object, Iterable<Object>> fn =
            (k, v) -> flat.apply(k, v).stream().map(made -> made.value).toList();
        return Scope.named(step) == null
            ? scope.input(step).flatMapValues(fn::apply)
            : scope.input(step).flatMapValues(fn::apply, Scope.named(step));
    }

    Object split(JsonNode step) {
        BranchedKStream<Object, Object> splitting =
            Scope.named(step) == null ? scope.input(step).split() : scope.input(step).split(Scope.named(step));
        Map<String, String> letOf = new HashMap<>();
        int number = 0;
        for (JsonNode branch : step.get("branches")) {
            if (branch.has("fn")) {
                var fn = Functions.predicate(branch.get("fn"));
                splitting = splitting.branch(fn::test);
                letOf.put(String.valueOf(++number), Scope.string(branch, "let"));
            } else {
                letOf.put("0", Scope.string(branch, "let"));
            }
        }
        Map<String, KStream<Object, Object>> branches =
            letOf.containsKey("0") ? splitting.defaultBranch() : splitting.noDefaultBranch();
        branches.forEach((name, stream) -> {
            String let = letOf.get(name.substring(name.length() - 1));
            scope.made.put(let, stream);
            scope.types.put(let, scope.types.get(Scope.string(step, "of")));
        });
        return null;
    }

    Object repartition(JsonNode step) {
        Types as = scope.typesOf(step);
        Repartitioned<Object, Object> how = Repartitioned.with(as.keys(), as.values());
        return scope.input(step).repartition(step.has("named") ? how.withName(Scope.string(step, "named")) : how);
    }

    Object process(JsonNode step) {
        JsonNode spec = step.get("processor");
        var supplier = Processors.supplier(spec, storesOf(step));
        String[] others = connected(spec);
        return Scope.named(step) == null
            ? scope.input(step).process(supplier, others)
            : scope.input(step).process(supplier, Scope.named(step), others);
    }

    Object processValues(JsonNode step) {
        JsonNode spec = step.get("processor");
        var supplier = Processors.fixedKey(spec, storesOf(step));
        String[] others = connected(spec);
        return Scope.named(step) == null
            ? scope.input(step).processValues(supplier, others)
            : scope.input(step).processValues(supplier, Scope.named(step), others);
    }

    private Set<StoreBuilder<?>> storesOf(JsonNode step) {
        JsonNode spec = step.get("processor");
        Types of = scope.types.get(Scope.string(step, "of"));
        return Processors.hasOwnStore(spec) ? Set.of(Processors.ownStore(spec, of.keys(), of.values())) : Set.of();
    }

    private static String[] connected(JsonNode spec) {
        boolean other = spec.has("store") && !Processors.hasOwnStore(spec);
        return other ? new String[] {spec.get("store").asText()} : new String[0];
    }
}
