"""The reference store: the shortest true statement of what a store does. It keeps nothing when it closes."""
