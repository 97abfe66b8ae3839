"""Partition logs: append-only segments of opaque record batches, in files or in memory."""
