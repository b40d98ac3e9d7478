"""CDK app."""
