import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from edml.errors import ModelRefusedError
from edml.models.archive import pack, unpack


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    """Make a zip of these entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An artefact with a model of two files."""
    (tmp_path / "in" / "saved_model" / "variables").mkdir(parents=True)
    (tmp_path / "in" / "saved_model" / "graph.pb").write_bytes(b"graph")
    (tmp_path / "in" / "saved_model" / "variables" / "data").write_bytes(b"data" * 1000)
    return tmp_path / "in"


def test_what_is_packed_comes_out(model: Path, tmp_path: Path) -> None:
    """Unpacking gives the files back, in the same places."""
    unpack(pack(model, "saved_model"), tmp_path / "out")
    assert (tmp_path / "out" / "saved_model" / "graph.pb").read_bytes() == b"graph"
    assert (tmp_path / "out" / "saved_model" / "variables" / "data").read_bytes() == b"data" * 1000


def test_equal_files_give_equal_bytes(model: Path) -> None:
    """Neither times nor modes nor the order of making change the bytes."""
    before = pack(model, "saved_model")
    graph = model / "saved_model" / "graph.pb"
    graph.unlink()
    graph.write_bytes(b"graph")
    graph.chmod(0o600)
    os.utime(graph, (1, 1))
    assert pack(model, "saved_model") == before


def test_what_is_not_there_is_told(model: Path) -> None:
    """A flavour that was not exported cannot be packed."""
    with pytest.raises(ModelRefusedError, match=r"no 'model\.onnx'"):
        pack(model, "model.onnx")


def test_links_are_not_packed(model: Path) -> None:
    """A link could lead anywhere."""
    (model / "saved_model" / "link").symlink_to("/etc/passwd")
    with pytest.raises(ModelRefusedError, match="link"):
        pack(model, "saved_model")


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "saved_model/../../evil", "..\\evil", "C:/evil", "a/../../b"]
)
def test_no_path_climbs_out(name: str, tmp_path: Path) -> None:
    """A path that leads out of the folder is refused, and nothing is written."""
    out = tmp_path / "out"
    with pytest.raises(ModelRefusedError, match="climbs out"):
        unpack(zipped(("model.onnx", b"x"), (name, b"evil")), out)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(kind: int, tmp_path: Path) -> None:
    """Only plain files are unpacked."""
    entry = zipfile.ZipInfo("model.onnx")
    entry.create_system = 3
    entry.external_attr = (kind | 0o777) << 16
    with pytest.raises(ModelRefusedError, match="link or a device"):
        unpack(zipped((entry, b"/etc/passwd")), tmp_path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """What unpacks to more than is allowed is refused by what the zip itself declares."""
    with pytest.raises(ModelRefusedError, match="more than 1000"):
        unpack(zipped(("model.onnx", bytes(1_000_000))), tmp_path, largest_bytes=1000)
    assert list(tmp_path.iterdir()) == []


def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    """Never more is written than the zip declares."""
    packed = bytearray(zipped(("model.onnx", bytes(1_000_000))))
    central = packed.index(b"PK\x01\x02")
    for at in (22, central + 24):
        packed[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(ModelRefusedError):
        unpack(bytes(packed), tmp_path, largest_bytes=1000)
    assert sum(each.stat().st_size for each in tmp_path.rglob("*")) <= 1000


def test_a_file_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """Two files of one name: which one would be meant?"""
    with pytest.warns(UserWarning, match="Duplicate"):
        packed = zipped(("model.onnx", b"a"), ("model.onnx", b"b"))
    with pytest.raises(ModelRefusedError, match="twice"):
        unpack(packed, tmp_path)


def test_half_a_zip_is_refused(model: Path, tmp_path: Path) -> None:
    """Whatever is cut off or overwritten, the cause is told as a refusal."""
    packed = pack(model, "saved_model")
    for damaged in (b"", packed[: len(packed) // 2], packed[:40] + b"\0" * 30 + packed[70:]):
        with pytest.raises(ModelRefusedError):
            unpack(damaged, tmp_path / "out")
