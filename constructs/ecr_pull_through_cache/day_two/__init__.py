"""Constructs that operate a deployed cache: warmer, backfill, dashboard, removal."""
