"""The version of the distribution, after https://semver.org."""

__version__ = "0.1.0"
