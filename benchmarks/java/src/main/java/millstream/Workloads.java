package millstream;

import java.time.Duration;
import millstream.Model.Alert;
import millstream.Model.Contract;
import millstream.Model.Pair;
import millstream.Model.Place;
import millstream.Model.Quality;
import millstream.Model.Rated;
import millstream.Model.Report;
import millstream.Model.Scored;
import millstream.Model.Totals;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.state.WindowStore;

/** The workloads' topologies; benchmarks/programs.py has the same in Python. */
final class Workloads {
    private static final Duration WINDOW = Duration.ofSeconds(10);
    private static final Duration GRACE = Duration.ofSeconds(5);
    private static final Serde<String> KEYS = Serdes.String();
    private static final Serde<Report> REPORTS = new Json<>(Report.class);
    private static final Serde<Totals> TOTALS = new Json<>(Totals.class);
    private static final Serde<Contract> CONTRACTS = new Json<>(Contract.class);

    private final StreamsBuilder builder = new StreamsBuilder();
    private final KStream<String, Report> reports;
    private final String output;

    private Workloads(String input, String output) {
        this.output = output;
        reports = builder.stream(input, Consumed.with(KEYS, REPORTS));
    }

    static StreamsBuilder build(String workload, String input, String output) {
        var made = new Workloads(input, output);
        switch (workload) {
            case "W1" -> made.transformed();
            case "W2", "W2r", "W2k", "W2kr", "W6" -> made.counted(true);
            case "W2n" -> made.counted(false);
            case "W3" -> made.joined();
            case "W4" -> made.paired();
            case "W5" -> made.alerts();
            case "W8" -> made.visits();
            default -> throw new IllegalArgumentException("there is no workload " + workload);
        }
        return made.builder;
    }

    private void transformed() {
        reports.filter((session, report) -> report.live)
            .mapValues(Scored::of)
            .to(output, Produced.with(KEYS, new Json<>(Scored.class)));
    }

    private void counted(boolean caching) {
        Materialized<String, Totals, WindowStore<Bytes, byte[]>> kept = Materialized.with(KEYS, TOTALS);
        reports.groupByKey(Grouped.with(KEYS, REPORTS))
            .windowedBy(TimeWindows.ofSizeAndGrace(WINDOW, GRACE))
            .aggregate(
                Totals::new,
                (session, report, totals) -> totals.plus(report),
                caching ? kept.withCachingEnabled() : kept.withCachingDisabled())
            .toStream()
            .to(output, Produced.with(new WindowedSerdes.TimeWindowedSerde<>(KEYS, WINDOW.toMillis()), TOTALS));
    }

    private void joined() {
        var contracts = builder.table("contracts", Consumed.with(KEYS, CONTRACTS));
        reports.join(contracts, Rated::of, Joined.with(KEYS, REPORTS, CONTRACTS))
            .to(output, Produced.with(KEYS, new Json<>(Rated.class)));
    }

    private void paired() {
        var live = reports.filter((session, report) -> report.live);
        var poor = reports.filter((session, report) -> !report.live && report.bitrate < 4_000_000);
        live.join(
                poor,
                Pair::of,
                JoinWindows.ofTimeDifferenceAndGrace(Duration.ofSeconds(5), GRACE),
                StreamJoined.with(KEYS, REPORTS, REPORTS))
            .to(output, Produced.with(KEYS, new Json<>(Pair.class)));
    }

    private void visits() {
        reports.groupByKey(Grouped.with(KEYS, REPORTS))
            .windowedBy(SessionWindows.ofInactivityGapAndGrace(WINDOW, GRACE))
            .aggregate(
                Totals::new,
                (session, report, totals) -> totals.plus(report),
                (session, one, other) -> one.plus(other),
                Materialized.with(KEYS, TOTALS))
            .toStream()
            .to(output, Produced.with(new WindowedSerdes.SessionWindowedSerde<>(KEYS), TOTALS));
    }

    private void alerts() {
        var promised = builder.globalTable("benchmarks", Consumed.with(KEYS, CONTRACTS));
        var places = new Json<>(Place.class);
        reports.filter((session, report) -> report.rebuffer > 0)
            .groupBy((session, report) -> Place.of(report), Grouped.with(places, REPORTS))
            .windowedBy(TimeWindows.ofSizeAndGrace(WINDOW, GRACE))
            .aggregate(Totals::new, (place, report, totals) -> totals.plus(report), Materialized.with(places, TOTALS))
            .toStream()
            .mapValues(Quality::of)
            .join(promised, (window, quality) -> window.key().cdn, Alert::of)
            .filter((window, alert) -> alert.bitrate < 0.8 * alert.expected)
            .to(
                output,
                Produced.with(
                    new WindowedSerdes.TimeWindowedSerde<>(places, WINDOW.toMillis()), new Json<>(Alert.class)));
    }
}
