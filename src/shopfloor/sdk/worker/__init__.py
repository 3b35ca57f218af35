"""The worker: fetches jobs, has them carried out, and tells the server how they went.

    server <--- foreman (the parent process: fetches, acknowledges, beats; an event loop that no handler can block)
                   |  frames over a socket pair                       |
                 crew (in each child process: threads for functions,  |
                       an event loop for coroutines) ---> board (shared memory: who runs what since when)

The foreman alone speaks with the server. It knows what every child has, so that the jobs of a child that died are given
back the moment it is dead, and it goes on beating whatever a handler does. With no child processes the crew is in the
foreman's own process.
"""
