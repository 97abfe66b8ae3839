"""A cluster in one thread under one seed: the broker's core, workers, and the network between them, with faults."""
