"""The state of a store that is held in memory: the memory store is this, the embedded store is this made durable."""
