"""The other end: the client that pushes jobs, and the worker that carries them out.

What a server is asked is said once, in `asks`; `Client` and `AsyncClient` are thin shells that carry it there. Nothing
here sees the server's code.
"""
