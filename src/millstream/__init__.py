"""Millstream: Kafka Streams for Python."""
