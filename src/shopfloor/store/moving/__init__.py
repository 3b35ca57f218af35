"""Moving everything from one store to another, through the port alone: read it, put it, compare.

The source is only read. What goes into the target goes in the order of the source, and each commit can be made again
without doing more: so a move that was killed is begun again and goes on.
"""
