"""`rewrite`: a pipe, files in place, a check for pipelines, a diff, and the way back."""

from tests.corpus import HOST
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
