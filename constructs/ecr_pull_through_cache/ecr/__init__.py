"""Rules of Amazon ECR, as data and pure functions, without aws-cdk-lib, boto3 and pydantic."""
