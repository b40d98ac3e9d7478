"""The IAM actions of a pull through cache, each list in one place.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
"""

AUTHENTICATE = ("ecr:GetAuthorizationToken",)
"""To obtain a registry token; AWS allows no narrower resource than ``*``."""

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
"""To pull what a repository holds."""

IMPORT = ("ecr:BatchImportUpstreamImage", "ecr:CreateRepository")
"""To let a pull import an image that is not cached yet, into a repository that may not exist yet."""

TAG = ("ecr:TagResource",)
"""Needed besides ``IMPORT`` where the creation template sets resource tags."""

REPLICATE = ("ecr:CreateRepository", "ecr:ReplicateImage")
"""What a replication destination grants its source.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry-permissions-create-replication.html
"""

CREATION_TEMPLATE = ("ecr:CreateRepository", "ecr:ReplicateImage", "ecr:TagResource")
"""What the custom role of a repository creation template may do.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates-iam.html
"""

CREATION_TEMPLATE_KEY = ("kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant")
"""What the custom role of a repository creation template may do with the key."""

READ_ECR_UPSTREAM = (
    "ecr:BatchGetImage",
    "ecr:BatchImportUpstreamImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetImageCopyStatus",
)
"""What a rule's custom role may do in the private ECR registry that is its upstream.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-private.html
"""

WRITE_ECR_CACHE = (
    "ecr:CompleteLayerUpload",
    "ecr:GetImageCopyStatus",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)
"""What a rule's custom role may do in the cache itself, from the same page."""

SECRET_PREFIX = "ecr-pullthroughcache/"  # noqa: S105 - it is the beginning of a name
"""What the name of a secret with upstream credentials must begin with."""
