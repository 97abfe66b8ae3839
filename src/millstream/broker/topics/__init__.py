"""Topics: their names, configurations and partition counts, kept durably."""
