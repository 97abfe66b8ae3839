"""The Kafka client contract and its implementations."""
