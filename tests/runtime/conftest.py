"""Both brokers for the runtime's tests."""

from tests.client.brokers import bootstrap, client, embedded_bootstrap, new_topic

__all__ = ["bootstrap", "client", "embedded_bootstrap", "new_topic"]
