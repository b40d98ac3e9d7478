"""The list of images that a file beside the configuration holds."""

import pytest

from ecr_pull_through_cache.configuration import ConfigurationError, load

CONFIGURATION = """\
registries:
  main:
    account: "111122223333"
    region: eu-west-1
    upstreams: { k8s: registry.k8s.io }
    warm: { imagesFile: lists/images.txt, platforms: [linux/arm64] }
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "lists").mkdir()
    (tmp_path / "environments.yaml").write_text(CONFIGURATION)
    return tmp_path


def test_it_is_found_beside_the_configuration_and_may_have_comments(folder):
    (folder / "lists/images.txt").write_text("# base\nregistry.k8s.io/pause:3.10\n\n  registry.k8s.io/a/b:1 # for b\n")
    warm = load(folder / "environments.yaml").registries["main"].settings.warm
    assert warm.images == ("registry.k8s.io/pause:3.10", "registry.k8s.io/a/b:1")
    assert warm.platforms == ("linux/arm64",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no images; write one a line"),
        (b"# nothing\n", "holds no images; write one a line"),
        (b"\xff\xfe", "cannot be read: it is not UTF-8 text"),
        (b"registry.k8s.io/pause:3.10\nnginx\n", "'nginx' is not an image of an upstream that is cached here"),
    ],
)
def test_what_is_wrong_with_it_is_said(folder, content, said):
    (folder / "lists/images.txt").write_bytes(content)
    with pytest.raises(
        ConfigurationError, match=r"environments\.yaml:6: registries\.main\.warm\.imagesFile: .*"
    ) as found:
        load(folder / "environments.yaml")
    assert said in str(found.value)
    assert "\n" not in str(found.value)
