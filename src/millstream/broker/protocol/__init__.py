"""The Kafka wire protocol: framed bytes to requests, answers to framed bytes."""
