"""`rewrite`: a pipe, files in place, a check for pipelines, a diff, and the way back."""

import os

import pytest

from tests.corpus import DIGEST, HOST
from tests.support.command_line import RULES, cli

POD = "kind: Pod\nspec:\n  containers:\n  - image: nginx:1 # keep\n    args: [--x=registry.k8s.io/a:1]\n"
CACHED = POD.replace("nginx:1", f"{HOST}/hub/library/nginx:1")


class TestRewrite:
    def test_a_pipe(self):
        assert cli("rewrite", "-", *RULES, stdin=POD).stdout == CACHED

    def test_in_place_and_in_folders(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a/pod.yaml").write_text(POD)
        (tmp_path / "other.txt").write_text(POD)
        (tmp_path / "a/pod.yaml").chmod(0o640)
        done = cli("rewrite", tmp_path, "--in-place", *RULES)
        assert (tmp_path / "a/pod.yaml").read_text() == CACHED
        assert (tmp_path / "a/pod.yaml").stat().st_mode & 0o777 == 0o640
        assert (tmp_path / "other.txt").read_text() == POD
        assert [p.name for p in (tmp_path / "a").iterdir()] == ["pod.yaml"]
        assert "1 images in 1 files, 1 named elsewhere and left" in done.stderr

    def test_check_is_for_pipelines(self, tmp_path):
        path = tmp_path / "pod.yaml"
        path.write_text(POD)
        done = cli("rewrite", path, "--check", *RULES, expect=1)
        assert done.stdout == f"{path}:4:12: nginx:1 -> {HOST}/hub/library/nginx:1\n"
        assert path.read_text() == POD
        path.write_text(CACHED)
        assert cli("rewrite", path, "--check", *RULES).stdout == ""

    def test_a_diff(self, tmp_path):
        path = tmp_path / "pod.yaml"
        path.write_text(POD)
        assert f"+  - image: {HOST}/hub/library/nginx:1 # keep\n" in cli("rewrite", path, "--diff", *RULES).stdout

    def test_the_way_back(self):
        assert cli("rewrite", "-", "--reverse", *RULES, stdin=CACHED).stdout == POD.replace(
            "nginx", "docker.io/library/nginx"
        )

    def test_links_stay_links(self, tmp_path):
        (tmp_path / "real.yaml").write_text(POD)
        (tmp_path / "link.yaml").symlink_to("real.yaml")
        cli("rewrite", tmp_path / "link.yaml", "--in-place", *RULES)
        assert (tmp_path / "link.yaml").is_symlink()
        assert (tmp_path / "real.yaml").read_text() == CACHED


def test_one_odd_file_is_named_and_the_others_are_done(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a [*a]\nb: {image: nginx}\n")
    (tmp_path / "b.yaml").symlink_to("nowhere")
    os.mkfifo(tmp_path / "c.yaml")
    (tmp_path / "d.yaml").write_bytes("kind: Pod".encode("utf-16"))
    (tmp_path / "e.yaml").write_text("? [a]\n: b\n")
    (tmp_path / "z.yaml").write_text(POD)
    done = cli("rewrite", tmp_path, "--in-place", *RULES, expect=2)
    assert (tmp_path / "z.yaml").read_text() == CACHED
    said = done.stderr.splitlines()
    assert f"{tmp_path}/a.yaml: left as it is: line 1: the value of anchor 'a' contains itself" in said
    assert f"{tmp_path}/b.yaml: left as it is: No such file or directory" in said
    assert f"{tmp_path}/c.yaml: left as it is: this is not a regular file" in said
    assert any(line.startswith(f"{tmp_path}/d.yaml: left as it is: this is not text in UTF-8") for line in said)
    assert said[-1] == "1 images in 1 files, 1 named elsewhere and left, 4 files left as they are"


def test_hard_links_and_links_out_of_the_folder_are_left_unless_asked_for(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("outside.yaml", "folder/a.yaml"):
        (tmp_path / name).write_text(POD)
    (folder / "a.txt").hardlink_to(folder / "a.yaml")
    (folder / "b.yaml").symlink_to("../outside.yaml")
    done = cli("rewrite", folder, "--in-place", *RULES, expect=2)
    assert "it has 2 hard links, and only this one would change" in done.stderr
    assert "it is a link that leads out of the folder" in done.stderr
    assert (tmp_path / "outside.yaml").read_text() == (folder / "a.yaml").read_text() == POD
    cli("rewrite", folder, "--in-place", "--links", *RULES)
    assert (tmp_path / "outside.yaml").read_text() == (folder / "a.yaml").read_text() == CACHED


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another user")
def test_owner_and_mode_are_kept(tmp_path):
    path = tmp_path / "pod.yaml"
    path.write_text(POD)
    os.chown(path, 1234, 2345)
    path.chmod(0o640)
    cli("rewrite", path, "--in-place", *RULES)
    status = path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (1234, 2345, 0o640)


def test_digests_that_stay_are_named_and_counted_by_a_check_too():
    done = cli("rewrite", "-", "--check", *RULES, stdin=POD.replace("nginx:1", f"nginx:1@{DIGEST}"))
    assert f"-:4:12: nginx:1@{DIGEST}: left: pinned by digest" in done.stderr
    assert "1 pinned by digest and left upstream" in done.stderr


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path):
    path = tmp_path / "a\x1b[2Jb.yaml"
    path.write_text(POD)
    done = cli("rewrite", path, "--check", *RULES, expect=1)
    assert "\x1b" not in done.stdout
    assert "\\x1b[2Jb.yaml" in done.stdout


def test_the_way_back_knows_every_registry_of_the_configuration():
    images = [f"111122223333.dkr.ecr.{region}.amazonaws.com/k8s/pause:3.10" for region in ("us-east-1", "us-west-2")]
    done = cli("image", "--reverse", *images, "--config", "environments/minimal.yaml")
    assert done.stdout.splitlines() == ["registry.k8s.io/pause:3.10"] * 2
    text = POD.replace("nginx:1", images[1])
    done = cli("rewrite", "-", "--reverse", "--config", "environments/minimal.yaml", stdin=text)
    assert done.stdout == POD.replace("nginx:1", "registry.k8s.io/pause:3.10")
