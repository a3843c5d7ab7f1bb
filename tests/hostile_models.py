"""A flavour whose models do harm when they are loaded, for tests: what each does is in its file."""

from pathlib import Path
from typing import Any

FLAVOUR = """
import ctypes, os, time
from edml.models.onnx import ONNX

class Hostile:
    name = "hostile"
    path = "model.onnx"

    def load(self, folder, *, threads=1):
        deed = (folder / self.path).read_bytes().removeprefix(b"hostile ").decode("latin-1")
        match deed:
            case "crash": ctypes.string_at(0)
            case "exit": os._exit(0)
            case "hang": time.sleep(3600)
            case "eat": bytearray(1 << 40)
        return ONNX.load(folder, threads=threads)

HOSTILE = Hostile()
"""


def install(folder: Path, patch: Any) -> None:
    """Make the flavour known to this process, and to those that it starts, as a package would."""
    facts = folder / "hostile_flavour-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile-flavour\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[edml.flavours]\nhostile = hostile_flavour:HOSTILE\n")
    (folder / "hostile_flavour.py").write_text(FLAVOUR)
    patch.syspath_prepend(str(folder))
    patch.setenv("PYTHONPATH", str(folder))
