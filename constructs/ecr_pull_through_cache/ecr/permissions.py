"""The IAM actions of a pull through cache, each list in one place.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
"""

AUTHENTICATE = ("ecr:GetAuthorizationToken",)
"""To sign in to a registry; AWS allows no narrower resource than ``*``."""

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
"""To pull an image that a repository holds."""

IMPORT = ("ecr:BatchImportUpstreamImage", "ecr:CreateRepository")
"""To let a pull import an image that is not cached yet, into a repository that may not exist yet."""

CREATE = ("ecr:CreateRepository",)
"""To create the repository of an image that is imported for the first time."""

IMPORT_INTO_KNOWN = ("ecr:BatchImportUpstreamImage",)
"""``IMPORT`` without the permission to create repositories."""

TAG = ("ecr:TagResource",)
"""Needed besides ``IMPORT`` where the creation template sets resource tags."""

REPLICATE = ("ecr:CreateRepository", "ecr:ReplicateImage")
"""To replicate images; the destination grants them to its source.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry-permissions-create-replication.html
"""

CREATION_TEMPLATE = ("ecr:CreateRepository", "ecr:ReplicateImage", "ecr:TagResource")
"""Permissions of the custom role of a repository creation template.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates-iam.html
"""

CREATION_TEMPLATE_KEY = ("kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant")
"""Permissions of that role on the customer managed key."""

READ_ECR_UPSTREAM = (
    "ecr:BatchGetImage",
    "ecr:BatchImportUpstreamImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetImageCopyStatus",
)
"""To read a private ECR registry that is an upstream: permissions of the rule's custom role, and of the upstream's policy
where it lies in another account.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-private.html
"""

WRITE_ECR_CACHE = (
    "ecr:CompleteLayerUpload",
    "ecr:GetImageCopyStatus",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)
"""Permissions of the rule's custom role on the cache, from the same page."""
