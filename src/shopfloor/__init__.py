"""Shopfloor, a background-job server: the face of its client and worker library."""

__version__ = "0.1.0"
