"""The JSON API: one table of operations, from which the routes, the document and its reference page are made."""
