"""Benchmarks as code: any server that speaks the Faktory work protocol, through the same work, in turns.

`servers` starts and stops what is measured, `workloads` puts it to work, `turns` runs two servers
alternately and takes ratios, `report` prints. Nothing here imports the server: it is measured from the
outside, as a client sees it.
"""
