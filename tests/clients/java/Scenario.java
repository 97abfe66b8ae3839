/** One thing that clients do. It notes what it saw, but nothing that differs from run to run. */
interface Scenario {
    void run(Kafka kafka, Results results) throws Exception;
}
