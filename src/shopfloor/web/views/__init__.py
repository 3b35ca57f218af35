"""What pages show: one dataclass a template, made from what the broker answered, with no HTML in it."""
