"""Lifecycle policies: the documents that ECR takes and the rules that it refuses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_pull_through_cache import (
    CountType,
    LifecycleAction,
    LifecyclePolicy,
    LifecycleRule,
    StorageClass,
    TagSelection,
    UserError,
)


class TestLifecycle:
    def test_the_short_form_expires_by_the_last_pull(self):
        assert json.loads(LifecyclePolicy.expire_unpulled(days=90).to_text()) == {
            "rules": [
                {
                    "rulePriority": 1,
                    "description": "Expire what was not pulled for 90 days",
                    "selection": {
                        "tagStatus": "any",
                        "countType": "sinceImagePulled",
                        "countUnit": "days",
                        "countNumber": 90,
                    },
                    "action": {"type": "expire"},
                }
            ]
        }

    def test_archiving_names_its_target(self):
        rule = LifecycleRule(
            priority=1, count_type=CountType.SINCE_IMAGE_PUSHED, count=7, action=LifecycleAction.ARCHIVE
        )
        assert rule.to_json()["action"] == {"type": "transition", "targetStorageClass": "archive"}

    def test_archived_images_expire_by_their_transition(self):
        rule = LifecycleRule(
            priority=1, count_type=CountType.SINCE_IMAGE_TRANSITIONED, count=100, storage_class=StorageClass.ARCHIVE
        )
        assert rule.to_json()["selection"]["storageClass"] == "archive"

    REFUSED = {
        "priority 0": ({"priority": 0}, "the priority must be at least 1"),
        "count 0": ({"count": 0}, "the count is 0; it must be at least 1"),
        "tagged without which": (
            {"tags": TagSelection.TAGGED},
            "tagged images are selected by tag patterns or prefixes",
        ),
        "patterns of any": ({"tag_patterns": ("v*",)}, "go with tagged images, not with 'any'"),
        "patterns and prefixes": (
            {"tags": TagSelection.TAGGED, "tag_patterns": ("v*",), "tag_prefixes": ("v",)},
            "give tag patterns or tag prefixes, not both",
        ),
        "five stars": ({"tags": TagSelection.TAGGED, "tag_patterns": ("*****",)}, "at most four"),
        "transitioned but standard": (
            {"count_type": CountType.SINCE_IMAGE_TRANSITIONED},
            "for the storage class ARCHIVE only",
        ),
        "archived again": (
            {"action": LifecycleAction.ARCHIVE, "storage_class": StorageClass.ARCHIVE},
            "what is archived already",
        ),
    }

    @pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
    def test_rules_that_ecr_refuses(self, changes, message):
        with pytest.raises(UserError, match=message):
            LifecycleRule(**{"priority": 1, "count_type": CountType.IMAGE_COUNT_MORE_THAN, "count": 5, **changes})

    def test_a_rule_for_any_image_comes_last(self):
        first = LifecycleRule(priority=1, count_type=CountType.IMAGE_COUNT_MORE_THAN, count=5)
        last = LifecycleRule(priority=2, count_type=CountType.SINCE_IMAGE_PUSHED, count=5, tags=TagSelection.UNTAGGED)
        with pytest.raises(UserError, match="must have the highest priority number"):
            LifecyclePolicy([first, last])

    def test_priorities_are_given_once(self):
        rule = LifecycleRule(priority=1, count_type=CountType.IMAGE_COUNT_MORE_THAN, count=5)
        with pytest.raises(UserError, match="each must be given once"):
            LifecyclePolicy([rule, rule])

    @given(
        st.builds(
            dict,
            priority=st.integers(1, 999),
            count_type=st.sampled_from(CountType),
            count=st.integers(1, 9999),
            tags=st.sampled_from(TagSelection),
            tag_patterns=st.sampled_from([(), ("v*",), ("a", "b*c")]),
            storage_class=st.sampled_from([None, *StorageClass]),
            action=st.sampled_from(LifecycleAction),
        )
    )
    def test_every_rule_is_read_back_from_its_json(self, parts):
        try:
            rule = LifecycleRule(**parts)
        except UserError:
            return
        assert LifecycleRule.from_json(json.loads(json.dumps(rule.to_json()))) == rule

    @given(
        st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda s: st.dictionaries(st.text(max_size=9), s))
    )
    def test_nonsense_is_refused_and_never_breaks(self, nonsense):
        with pytest.raises(UserError):
            LifecycleRule.from_json({"rulePriority": 1, "selection": nonsense, "action": {"type": "expire"}})
