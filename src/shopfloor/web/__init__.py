"""The pages: handlers ask the broker, views say what a page shows, templates say how."""
