"""The default store: the state of a store in memory, made durable by one SQLite file.

Memory is the state. Each round's steps are appended to the `journal` table before its replies leave. From time to
time the journal is *folded*: the jobs it touched that still exist are written to their rows, and the journal is
emptied, in one transaction. Most jobs come and go between two folds and never touch a row. What is in the file is
always rows + journal, and that is what a start reads back.

A folded job whose turn is far away is put *on the shelf*: its text stays in the file only.
"""
