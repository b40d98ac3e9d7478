"""`image`: references and what they become."""

from tests.corpus import HOST
from tests.support.command_line import RULES, cli


def test_image_prints_what_references_become():
    done = cli("image", "registry.k8s.io/pause:3.10", "-", *RULES, stdin="nginx\n\nmcr.microsoft.com/x\n")
    assert done.stdout.splitlines() == [f"{HOST}/k8s/pause:3.10", f"{HOST}/hub/library/nginx", "mcr.microsoft.com/x"]


def test_image_says_why_and_finds_the_way_back():
    assert "no rule caches this registry" in cli("image", "mcr.microsoft.com/x", "--explain", *RULES).stdout
    assert cli("image", f"{HOST}/k8s/pause", "--reverse", *RULES).stdout == "registry.k8s.io/pause\n"


def test_image_goes_on_after_one_that_is_none():
    done = cli("image", "Nginx", "nginx", *RULES, expect=2)
    assert done.stdout == f"{HOST}/hub/library/nginx\n"
    assert done.stderr.startswith("error: 'Nginx' has an upper-case letter")


def test_a_registry_of_the_configuration_is_a_mapping_too():
    done = cli("image", "registry.k8s.io/pause:3.10", "--config", "environments/minimal.yaml", "--registry", "main")
    assert done.stdout == "111122223333.dkr.ecr.us-east-1.amazonaws.com/k8s/pause:3.10\n"
