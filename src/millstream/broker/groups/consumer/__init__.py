"""Consumer groups of the protocol of KIP-848: the broker assigns, members reconcile with each heartbeat."""
