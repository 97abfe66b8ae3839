package millstream;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;

/** What the topics hold: plain classes with public fields, which Jackson reads and writes quickest. */
final class Model {
    private Model() {}

    static class Report {
        public String session;
        public String location;
        public String cdn;
        public long bitrate;
        public long rebuffer;
        public boolean live;
        public String os;
    }

    static class Scored {
        public String session;
        public String location;
        public String cdn;
        public long bitrate;
        public long rebuffer;
        public boolean live;
        public long score;

        static Scored of(Report report) {
            var scored = new Scored();
            scored.session = report.session;
            scored.location = report.location;
            scored.cdn = report.cdn;
            scored.bitrate = report.bitrate;
            scored.rebuffer = report.rebuffer;
            scored.live = report.live;
            scored.score = report.bitrate - 1000 * report.rebuffer;
            return scored;
        }
    }

    static class Totals {
        public long count;
        public long bitrate;

        Totals plus(Report report) {
            count++;
            bitrate += report.bitrate;
            return this;
        }

        Totals plus(Totals other) {
            count += other.count;
            bitrate += other.bitrate;
            return this;
        }
    }

    static class Contract {
        public String tier;
        public long expected;
    }

    static class Rated {
        public String session;
        public String location;
        public long bitrate;
        public String tier;
        public long expected;

        static Rated of(Report report, Contract contract) {
            var rated = new Rated();
            rated.session = report.session;
            rated.location = report.location;
            rated.bitrate = report.bitrate;
            rated.tier = contract.tier;
            rated.expected = contract.expected;
            return rated;
        }
    }

    static class Pair {
        public long left;
        public long right;

        static Pair of(Report left, Report right) {
            var pair = new Pair();
            pair.left = left.bitrate;
            pair.right = right.bitrate;
            return pair;
        }
    }

    @JsonPropertyOrder({"cdn", "location"})
    static class Place {
        public String cdn;
        public String location;

        static Place of(Report report) {
            var place = new Place();
            place.cdn = report.cdn;
            place.location = report.location;
            return place;
        }
    }

    static class Quality {
        public long reports;
        public double bitrate;

        static Quality of(Totals totals) {
            var quality = new Quality();
            quality.reports = totals.count;
            quality.bitrate = (double) totals.bitrate / totals.count;
            return quality;
        }
    }

    static class Alert {
        public long reports;
        public double bitrate;
        public long expected;

        static Alert of(Quality quality, Contract promised) {
            var alert = new Alert();
            alert.reports = quality.reports;
            alert.bitrate = quality.bitrate;
            alert.expected = promised.expected;
            return alert;
        }
    }
}
