"""Day two of a cache: what the command line and Lambda functions do on boto3 alone.

Nothing in here imports aws-cdk-lib or pydantic, so that Lambda's Python runtime carries it as it is.
"""
