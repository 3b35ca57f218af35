"""The use cases: each verb reads, decides by the rules of the core, and commits, together with whoever came at once."""
