"""A demo that runs as a child, as a person runs it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

LONG_S = 900
"""Some ten times what it takes on a machine that does nothing else."""


class Demo:
    """A demo that runs, with what it prints in a file, and a home of its own."""

    def __init__(self, home: Path, jars: Path, *options: str, quick: bool = True) -> None:
        self.home = home
        self.printed = home / "printed.txt"
        home.mkdir()
        self._ports: set[int] = set()
        kept = {k: v for k, v in os.environ.items() if not k.startswith("EDML_")}
        short = ["--quick"] if quick else []
        with self.printed.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edml", "demo", "--plain", *short, *options],
                env={**kept, "EDML_HOME": str(home), "EDML_JARS": str(jars)},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def until(self, text: str) -> None:
        """Wait until it has printed a text."""
        deadline = time.monotonic() + LONG_S
        while text not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)
        self._ports |= self._listening()

    def end(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(LONG_S)

    def what_to_try_next(self) -> Mapping[str, str]:
        """The commands that it tells to try, each with what it prints."""
        lines = [line.strip() for line in self.said.splitlines()]
        (config,) = [line.split("EDML_CONFIG=")[1] for line in lines if "EDML_CONFIG=" in line]
        kept = {k: v for k, v in os.environ.items() if not k.startswith("EDML_")}
        return {
            line.split()[1]: subprocess.run(
                [sys.executable, "-m", *line.split("#")[0].split()],
                env={**kept, "EDML_CONFIG": config, "COLUMNS": "120"},
                capture_output=True,
                check=True,
                text=True,
            ).stdout
            for line in lines
            if line.startswith("edml ")
        }

    @property
    def said(self) -> str:
        """What it has printed."""
        return self.printed.read_text()

    @property
    def running(self) -> Mapping[int, list[str]]:
        """Every process on this machine that has to do with this demo's home."""
        found = {}
        for each in psutil.process_iter():
            try:
                known = [*each.cmdline(), *each.environ().values()]
            except (psutil.AccessDenied, psutil.NoSuchProcess):
                continue
            if any(str(self.home) in text for text in known):
                found[each.pid] = each.cmdline()
        return found

    @property
    def open_ports(self) -> set[int]:
        """Those of its ports that still answer."""
        return {port for port in self._ports if _answers(port)}

    def _listening(self) -> set[int]:
        return {
            connection.laddr.port
            for pid in self.running
            for connection in psutil.Process(pid).net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
