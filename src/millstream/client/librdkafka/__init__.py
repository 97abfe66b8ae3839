"""The Kafka client contract over librdkafka (confluent-kafka)."""

from millstream.client.librdkafka.client import LibrdkafkaClient

__all__ = ["LibrdkafkaClient"]
