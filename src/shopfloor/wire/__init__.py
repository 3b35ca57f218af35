"""The Faktory work protocol, bytes to messages and back.

Nothing in this folder waits, reads a clock, throws dice, opens a socket or logs. Whatever a peer sends
becomes a message or a refusal: its bytes never raise anything else.
"""
