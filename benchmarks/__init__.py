"""Millstream and Kafka Streams on the JVM, end to end on the same Apache Kafka: `python -m benchmarks --help`."""
