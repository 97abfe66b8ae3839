"""Consumer groups: membership in the classic protocol, and committed offsets."""
