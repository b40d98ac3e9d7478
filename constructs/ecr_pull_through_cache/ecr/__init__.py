"""What Amazon ECR itself says, as data and pure functions. It imports neither aws-cdk-lib nor boto3 nor pydantic."""
