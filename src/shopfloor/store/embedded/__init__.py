"""The default store: the state of a store in memory, made durable by a SQLite file and a journal beside it.

Memory is the state. What each round did is appended to the journal before its replies leave. When it is some ten
thousand steps old it is *folded*: the jobs in it that still exist are written to their rows, and its part of the
journal is free to be written over. Most jobs come and go before that and never touch a row. What is on the disk is
always rows + journal, and that is what a start reads back.

    one round          entries -> journal -> disk
    what is old        folding -> fold -> rows; and for bodies that are not needed soon, shelving -> shelf
    a start            file, recovery -> boot
    beside the server  check, restore

A job with a row whose turn is far away is put *on the shelf*: its text stays in the file only.
"""
