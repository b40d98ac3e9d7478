"""What keeps a deployed cache in order: warming, backfill, dashboard, removal."""
