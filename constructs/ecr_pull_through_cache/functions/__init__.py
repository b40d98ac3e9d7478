"""Lambda handlers: a thin layer over ``operations``. They need nothing beyond Lambda's Python runtime."""
