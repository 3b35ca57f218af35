"""How much one visitor may ask of the web side: each bound has its reason here."""

from typing import Final

HEADER_BYTES_MAX: Final = 64 * 1024
"""Faktory's bound for all headers of a request."""
BODY_BYTES_MAX: Final = 1024 * 1024
"""The largest form is a page of ticked jobs, some 20 KB."""
FIELDS_MAX: Final = 2_000
"""Fields of one form or query."""
REQUEST_SECONDS: Final = 10.0
"""Time for a request to arrive whole; a connection that is slower than that is closed."""
ANSWER_SECONDS: Final = 20.0
"""Time for an answer. What takes longer is begun as a chore, which has a page of its own."""
IDLE_SECONDS: Final = 15.0
"""Time a connection may stay open between two requests."""
CONNECTIONS_MAX: Final = 500
"""Connections at once; more are answered 503. Each page that is open and live has one."""
TLS_SECONDS: Final = 10.0
"""Time for a TLS handshake."""
PAGE_JOBS: Final = 50
"""Jobs on a page."""
PAGE_QUEUES: Final = 100
"""Queues on a page; the oldest job of each is looked at."""
METRIC_QUEUES: Final = 100
"""Queues with a series of their own in the metrics, those with most jobs first; the oldest job of each is looked at."""
PAGE_BATCHES: Final = 50
"""Batches on a page."""
PAGE_WORKING: Final = 200
"""Running jobs on the page of workers."""
PAGE_WORKERS: Final = 200
"""Processes on the page of workers."""
CUT_CHARACTERS: Final = 160
"""Letters of a job's arguments or error in a table."""
TEXT_CHARACTERS_MAX: Final = 1_000_000
"""Letters of the arguments on a job's own page: Faktory's 1 MB."""
DAYS_MAX: Final = 180
"""History beyond this is not asked for, as in Faktory."""
