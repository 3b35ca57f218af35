"""The rules of Shopfloor.

Nothing in this folder waits, reads a clock, throws dice, opens a socket, logs, looks at the environment or
knows a database: `now` and `dice` arrive as arguments. Rules are functions of values that return values; a
decision is a tuple of changes (see `changes`). Whoever applies a decision is on a floor above.
"""
