"""Helm itself: renders a chart, in bounded time and without a network."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..errors import UserError

LONGEST = 120.0
"""Seconds that one rendering may take."""
LARGEST = 256 * 1024 * 1024
"""Bytes that one rendering may print."""
_STEP = 0.05
_LONGEST_REASON = 600


class HelmRefuses(UserError):
    """Helm does not render a chart with the values given.

    :param chart: the chart.
    :param said: Helm's own message, of any number of lines. The error's message is its beginning, in one line.
    """

    def __init__(self, chart: Path, said: str) -> None:
        text = " ".join(said.split())
        super().__init__(f"{chart}: helm: {text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + '…'}")
        self.said = said


@dataclass(frozen=True, kw_only=True)
class Helm:
    """The program ``helm``, and how it renders.

    :param program: path of the program, version 3 or 4.
    :param options: further options of ``helm template``, such as ``--kube-version``.
    :param seconds: how long one rendering may take.
    """

    program: str
    options: tuple[str, ...] = ()
    seconds: float = LONGEST

    def render(
        self,
        chart: Path,
        values: Sequence[Path] = (),
        *,
        override: str | None = None,
        check_schema: bool = True,
        release: str = "release",
    ) -> str:
        """The manifests of a chart, as ``helm template`` prints them.

        :param chart: a chart's folder or its ``.tgz``.
        :param values: values files, the later over the earlier.
        :param override: a further values file, as text, over all of them.
        :param check_schema: whether the chart's schema of its values is heeded.
        :param release: name of the release.
        :raises HelmRefuses: when Helm does not render it.
        """
        with tempfile.TemporaryDirectory(prefix="helm-") as scratch:
            files = list(values)
            if override is not None:
                files.append(Path(scratch, "override.yaml"))
                files[-1].write_text(override, encoding="utf-8")
            command = [self.program, "template", release, str(_local(chart)), *self.options]
            command += [part for file in files for part in ("--values", str(_local(file)))]
            if not check_schema:
                command.append("--skip-schema-validation")
            with Path(scratch, "out").open("w+b") as out, Path(scratch, "err").open("w+b") as err:
                code = self._run(command, out, err, chart)
                if code != 0:
                    raise HelmRefuses(chart, _reason(_text(err)))
                return _text(out)

    def _run(self, command: list[str], out: IO[bytes], err: IO[bytes], chart: Path) -> int:
        try:
            process = subprocess.Popen(  # noqa: S603 - no shell, own arguments
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )
        except OSError as error:
            raise UserError(f"{self.program}: helm cannot be started: {error.strerror}") from None
        waited = 0.0
        try:
            while True:
                try:
                    return process.wait(_STEP)
                except subprocess.TimeoutExpired:
                    waited += _STEP
                if waited > self.seconds:
                    raise HelmRefuses(chart, f"it takes more than {self.seconds:.0f} seconds")
                if os.fstat(out.fileno()).st_size + os.fstat(err.fileno()).st_size > LARGEST:
                    raise HelmRefuses(chart, f"it prints more than {LARGEST:,} bytes")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _local(path: Path) -> Path:
    """A path that Helm takes for nothing but a path: not for an option, nor for REPO/CHART."""
    return path.absolute()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(LARGEST).decode("utf-8", "replace")


def _reason(said: str) -> str:
    """Keep the part of Helm's message that is for people, without its log and its advice."""
    lines = [line for line in said.strip().splitlines() if line.strip() and not line.startswith(("level=", "time="))]
    text = "\n".join(line for line in lines if not line.startswith("Use --debug flag"))
    before, error, after = text.partition("Error: ")
    return (after if error else before).strip() or "it failed"
