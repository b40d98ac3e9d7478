"""What one registry has, per account and Region: rules, templates, replication, policies, scanning, signing."""
