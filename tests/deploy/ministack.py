"""The second engine: it knows no resource of ECR but the repository, and has VPC endpoints and Lambda functions that run."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real.engines import _port, cache, missing

VERSION = "1.5.33"
NAME = f"ministack {VERSION}"


@contextmanager
def ministack(folder: Path, **environment: str) -> Iterator[int]:
    """Start it on the loopback; gives its port.

    :param folder: where it keeps what it keeps, and logs.
    :param environment: for its functions.
    """
    program = cache() / f"ministack-{VERSION}" / "bin/python"
    if not program.exists():
        missing("ministack", "tools/engines ministack")
    port = _port()
    variables = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1",
        **environment,
    }  # fmt: skip
    with (folder / "ministack.log").open("w") as log:
        process = subprocess.Popen([program, "-m", "ministack"], env=variables, stdout=log, stderr=log, cwd=folder)
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(20)
