"""The PostgreSQL store: one or many servers on one database.

A round of the broker is one statement: `commit_round` (migrations/0001.sql) takes everything the round does as arrays,
checks that all of it is possible, does it, hands out jobs, and commits. It knows no rule, only rows. `plan.py` adds a
round's changes up to those arrays.

Where one of the changes is not possible, nothing of that statement happened. Then the round is looked at closely
(`slowly.py`): under a lock that keeps all other rounds out, what it touches is read into the same `State` that the
memory store is, each transition finds its outcome there, and what is left is carried out by the same function. So
what a change means is written once for all stores, and the usual round pays nothing for the unusual one.

Every round has a number. Where the connection breaks and nobody knows whether a round happened, the next connection
finds out by that number (`rounds.py`) before anything else is done.
"""
