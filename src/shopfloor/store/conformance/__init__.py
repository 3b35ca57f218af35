"""The suite that says whether something is a store: the same questions for ours and for those of other packages.

It is made of tests for pytest and ships with the package, but nothing of the server imports it. Run it on a store:

    pytest -p shopfloor.store.conformance.plugin --pyargs shopfloor.store.conformance --shopfloor-store 'acme://{folder}'
"""
