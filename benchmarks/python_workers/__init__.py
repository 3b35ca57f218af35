"""Python job libraries put to the same work: enqueue jobs that do nothing, and have them worked.

`python -m benchmarks.python_workers --help` says how. In `apps/` each library is set
up as its documentation says it is fast.
"""
