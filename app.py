"""The CDK app of this repository. The package carries it as ``python -m ecr_pull_through_cache_stacks``."""

from ecr_pull_through_cache_stacks.app import build, main

__all__ = ["build", "main"]

if __name__ == "__main__":
    main()
