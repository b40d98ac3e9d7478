"""What tests of several subjects share: no test module imports another one."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The top of the repository."""
