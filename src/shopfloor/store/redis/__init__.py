"""One or many servers on one Redis or Valkey: everything is in Redis, and each change goes through one Lua function.

`functions.lua` says how things are kept and is the only one that writes; `coding` turns changes into its arguments and
its answers into values; `commits` sees to it that a commit happens once, whatever happens to the connection;
`link` keeps a connection to whoever is master; `condition` reads what an OK means with the settings that Redis has.
There is no rule in any of them.
"""
