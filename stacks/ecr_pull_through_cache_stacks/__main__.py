"""``python -m ecr_pull_through_cache_stacks``: the ``app`` of a ``cdk.json``."""

from .app import main

if __name__ == "__main__":
    main()
