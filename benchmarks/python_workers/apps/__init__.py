"""One module a library: its no-op job, and how jobs are enqueued one by one and in bulk.

`push.py` runs them and prints the seconds that enqueuing took. The job writes one byte to the file that BENCH_FILE
names, so that the size of the file says how many were done.
"""
