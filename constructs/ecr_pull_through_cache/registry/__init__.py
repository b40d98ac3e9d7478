"""Constructs of one registry: rules, templates, replication, policies, scanning, signing."""
