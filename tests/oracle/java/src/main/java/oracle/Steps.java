package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Properties;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.KStream;

/** From a case's steps to a topology of Kafka Streams; `add` dispatches on the step's `op`. */
@SuppressWarnings("unchecked")
final class Steps {
    final Scope scope = new Scope();
    private final Streams streams = new Streams(scope);
    private final Groups groups = new Groups(scope);
    private final Tables tables = new Tables(scope);
    private final Joins joins = new Joins(scope);

    static Steps from(JsonNode topology) {
        Steps steps = new Steps();
        topology.forEach(steps::add);
        return steps;
    }

    Topology build(Properties properties) {
        return scope.builder.build(properties);
    }

    private void add(JsonNode step) {
        Object result = switch (Scope.op(step)) {
            case "stream" -> streams.stream(step);
            case "table" -> scope.builder.table(Scope.string(step, "topic"), streams.consumed(step), scope.kept(step));
            case "global_table" -> step.has("store")
                ? scope.builder.globalTable(Scope.string(step, "topic"), streams.consumed(step), scope.kept(step))
                : scope.builder.globalTable(Scope.string(step, "topic"), streams.consumed(step));
            case "filter", "filter_not" -> tables.filter(step);
            case "map_values" -> tables.mapValues(step);
            case "map" -> streams.map(step);
            case "select_key" -> streams.selectKey(step);
            case "flat_map" -> streams.flatMap(step);
            case "flat_map_values" -> streams.flatMapValues(step);
            case "merge" -> Scope.named(step) == null
                ? scope.input(step).merge((KStream<Object, Object>) scope.with(step))
                : scope.input(step).merge((KStream<Object, Object>) scope.with(step), Scope.named(step));
            case "split" -> streams.split(step);
            case "peek" -> Scope.named(step) == null
                ? scope.input(step).peek((k, v) -> { })
                : scope.input(step).peek((k, v) -> { }, Scope.named(step));
            case "repartition" -> streams.repartition(step);
            case "group_by_key" -> scope.input(step).groupByKey(groups.grouped(step));
            case "group_by" -> groups.groupBy(step);
            case "windowed_by" -> groups.windowedBy(step);
            case "emit_strategy" -> groups.emitStrategy(step);
            case "count" -> groups.count(step);
            case "reduce" -> groups.reduce(step);
            case "aggregate" -> groups.aggregate(step);
            case "cogroup" -> groups.cogroup(step);
            case "suppress" -> tables.suppress(step);
            case "to_stream" -> tables.toStream(step);
            case "to_table" -> Scope.named(step) == null
                ? scope.input(step).toTable(scope.kept(step))
                : scope.input(step).toTable(Scope.named(step), scope.kept(step));
            case "join", "left_join", "outer_join" -> joins.join(step);
            case "process" -> streams.process(step);
            case "process_values" -> streams.processValues(step);
            case "to" -> streams.to(step);
            default -> throw new Functions.UnknownNameException(Scope.op(step));
        };
        if (step.has("let")) {
            scope.made.put(Scope.string(step, "let"), result);
            scope.types.put(Scope.string(step, "let"), scope.typesOf(step));
        }
    }
}
