"""Both brokers for the client's tests."""

from tests.client.brokers import bootstrap, client, embedded_bootstrap, new_topic, way

__all__ = ["bootstrap", "client", "embedded_bootstrap", "new_topic", "way"]
