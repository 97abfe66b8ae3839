"""The topology: immutable nodes, validation, sub-topologies, internal topics."""
