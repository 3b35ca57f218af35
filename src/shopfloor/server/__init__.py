"""The socket: listening, connections, one row per verb, and the timers."""
