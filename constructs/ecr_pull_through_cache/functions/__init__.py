"""What runs in Lambda: thin, over ``operations``. Nothing in here needs more than Lambda's Python runtime has."""
