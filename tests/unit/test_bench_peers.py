from importlib.metadata import version

from bench import jars
from bench.peers.peer import ROOT


def test_everybody_has_the_same_release_of_onnx_runtime() -> None:
    """In Java, in this environment, and in the one that Quix Streams runs in."""
    (java,) = {each.version for each in jars.peers() if each.name == "onnxruntime"}
    lock = (ROOT / "requirements" / "bench.txt").read_text(encoding="utf-8")
    assert java == jars.ONNX_RUNTIME_RELEASE == version("onnxruntime")
    assert f"onnxruntime=={java} " in lock
