"""The style guide, executed: each rule is a function from one file to its violations.

`sources` reads the files, `shape` holds what is measured, `habits` what is read from the syntax tree and
`words` what is read from the bare text. `tests/test_house.py` runs them all. A rule that makes one place
worse may be broken there, with the reason beside it: `# house: <reason>` at the end of the line that the rule
names, or, for what is said of a whole file, `# house-file: <reason>` anywhere in it.
"""
