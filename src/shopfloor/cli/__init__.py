"""The command line, and the one place that builds things."""
