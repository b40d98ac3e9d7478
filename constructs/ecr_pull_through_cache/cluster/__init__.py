"""Constructs that make a cluster use the cache: node permissions, endpoints, admission policies, the aspect for CDK apps."""
