"""Cases that Kafka Streams answered, run against the test driver: `python -m tests.conformance FOLDER`."""
