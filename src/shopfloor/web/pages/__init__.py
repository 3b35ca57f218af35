"""One module a page: its handlers, which ask the broker and hand a view to a template."""
