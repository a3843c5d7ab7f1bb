"""Where the time goes: the processor time of `edml serve` under backlog, by thread and stage.

From outside, on the real process: py-spy samples the stacks of the threads that are at work, and
the kernel says how much processor time each of them took. https://github.com/benfred/py-spy
"""

import re
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from bench.peers.edml import Edml
from bench.peers.peer import Work
from bench.processes import Child, running
from bench.scene import BENCH_PYTHON, Scene
from edml.errors import EdmlError

STAGES: Final = {
    "edml.kafka.message": "take messages from librdkafka",
    "edml.kafka.fetched": "take messages from librdkafka",
    "edml.kafka.fetched._Loan": "give messages back to librdkafka",
    "edml.kafka.codec.decode": "decode the batch",
    "edml.kafka.source": "sort messages by partition; places and times as columns",
    "edml.models": "bind the model's inputs, and predict",
    "edml.features": "rules and features",
    "edml.serving": "prediction records",
    "edml.kafka.codec.encode": "encode the batch",
    "edml.kafka.serdes": "keys and values as records",
    "edml.kafka.packed": "hand records to librdkafka",
    "edml.kafka.sink.Sink._queue": "hand records to librdkafka",
    "edml.kafka.sink": "offsets, commit, delivery reports",
    "edml.runtime": "the loop",
}
"""Modules, or functions of them, by what they do: a stack is the innermost one's that is here."""

MAIN: Final = "main"
OTHER: Final = "other"
NATIVE: Final = {"rdk:": "librdkafka: fetch, send, checksums", "polars": "Polars' own threads"}
"""Threads without Python, by how their names begin."""

LEAST_US: Final = 0.005
RATE: Final = 200
SECONDS: Final = 4
FRAME: Final = re.compile(r"^(?P<function>.+) \((?P<file>[^()]+)\)$")
THREAD: Final = re.compile(r"^thread \((?P<id>\w+)\)(: ?(?P<name>.*))?$")


@dataclass(frozen=True)
class Stack:
    """What a thread was seen to do, outermost call first, and how often; ``thread`` is its id."""

    thread: int
    name: str
    calls: tuple[str, ...]
    times: int


@dataclass(frozen=True)
class Row:
    """Processor time in µs a record that one kind of thread took for one stage."""

    thread: str
    stage: str
    cpu_us: float


def profile(scene: Scene) -> dict[str, Any]:
    """Where the processor time of one record goes, thread by thread."""
    ours = scene.edml("onnx", "onnx", name="onnx")
    stage, backlog = scene.stage, scene.backlog
    stage.create(ours.output)
    ours.prepare(stage)
    work = Work("exactly_once", ours.group, backlog, ours.output, stage.folder / "state")
    log = stage.folder / "logs" / "profile.log"
    with running(ours.command(work), log) as child:
        figures = _watched(scene, ours, child)
    stage.truncate(ours.output)
    for row in figures["rows"]:
        print(f"  {row['thread']:<12} {row['stage']:<55} {row['cpu_us']:5.2f} µs", flush=True)
    return figures


def _watched(scene: Scene, ours: Edml, child: Child) -> dict[str, Any]:
    stage = scene.stage
    before = stage.end(ours.output)
    while stage.end(ours.output) == before:
        child.check()
        time.sleep(0.05)
    time.sleep(scene.plan.warm_s)
    first, taken = stage.end(ours.output), _threads(child.pid)
    stacks = _sampled(child, stage.folder / "stacks.txt")
    records = stage.end(ours.output) - first
    cpu = {each: s - taken.get(each, 0.0) for each, s in _threads(child.pid).items()}
    names = {each: _name(child.pid, each) for each in cpu}
    child.check()
    found = rows(stacks, cpu, names, records, main=child.pid)
    return {
        "records": records,
        "rows": [vars(each) for each in found],
        "cpu_us": sum(each.cpu_us for each in found),
    }


def rows(
    stacks: Sequence[Stack],
    cpu_s: Mapping[int, float],
    names: Mapping[int, str],
    records: int,
    *,
    main: int,
) -> list[Row]:
    """Share out each thread's processor time among the stages that it was seen in.

    ``cpu_s`` and ``names`` are by thread id. The main thread comes first; within a thread, what
    takes longest.
    """
    seen: Counter[int] = Counter()
    shares: Counter[tuple[int, str]] = Counter()
    for each in stacks:
        seen[each.thread] += each.times
        shares[each.thread, stage_of(each.calls)] += each.times
    called = {each.thread: re.sub(r"_\d+$", "", each.name) for each in stacks} | {main: MAIN}
    total: defaultdict[tuple[str, str], float] = defaultdict(float)
    for thread, seconds in cpu_s.items():
        if not seen[thread]:
            total[native(names[thread])] += seconds
    for (thread, stage), times in shares.items():
        total[called[thread], stage] += cpu_s.get(thread, 0.0) * times / seen[thread]
    found = [Row(*each, seconds / records * 1e6) for each, seconds in total.items()]
    of_thread = {
        each.thread: sum(e.cpu_us for e in found if e.thread == each.thread) for each in found
    }
    return sorted(
        (each for each in found if each.cpu_us >= LEAST_US),
        key=lambda row: (row.thread != MAIN, -of_thread[row.thread], -row.cpu_us),
    )


def stage_of(calls: Sequence[str]) -> str:
    """The stage that a stack belongs to: that of its innermost call that has one."""
    for call in reversed(calls):
        name = call
        while name:
            if name in STAGES:
                return STAGES[name]
            name = name.rpartition(".")[0]
    return OTHER


def native(name: str) -> tuple[str, str]:
    """What kind of thread it is that runs no Python, and what it does."""
    for begins, does in NATIVE.items():
        if name.startswith(begins):
            return "librdkafka" if begins == "rdk:" else begins, does
    return OTHER, OTHER


def read(raw: str) -> list[Stack]:
    """The stacks in py-spy's raw format: one a line, frames from the outermost, and a count."""
    found = []
    for line in raw.splitlines():
        frames, _, times = line.rpartition(" ")
        thread, *calls = frames.split(";")
        told = THREAD.match(thread)
        if told is None:
            raise EdmlError(f"py-spy names no thread: {thread}", todo="call it with --threads")
        found.append(
            Stack(int(told["id"], 0), told["name"] or OTHER, tuple(map(_call, calls)), int(times))
        )
    return found


def _call(frame: str) -> str:
    """``edml.kafka.sink._produce`` out of ``_produce (/…/src/edml/kafka/sink.py)``."""
    told = FRAME.match(frame)
    if told is None:
        return frame
    path = Path(told["file"].partition(":")[0]).with_suffix("").parts
    module = path[path.index("edml") :] if "edml" in path else path[-1:]
    return ".".join((*module, told["function"]))


def _sampled(child: Child, file: Path) -> list[Stack]:
    command = [
        str(BENCH_PYTHON.with_name("py-spy")), "record", "--pid", str(child.pid),
        "--duration", str(SECONDS), "--rate", str(RATE), "--threads", "--function",
        "--full-filenames", "--nonblocking", "--format", "raw", "--output", str(file),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EdmlError(
            f"py-spy cannot look at {child.pid}:\n{done.stderr}",
            todo="allow it (`sudo sysctl kernel.yama.ptrace_scope=0`), or leave the profile out",
        )
    return read(file.read_text(encoding="utf-8"))


def _threads(pid: int) -> dict[int, float]:
    """The processor time that each thread of a process has taken, in seconds."""
    return {each.id: each.user_time + each.system_time for each in psutil.Process(pid).threads()}


def _name(pid: int, thread: int) -> str:
    """What the kernel calls a thread."""
    return Path(f"/proc/{pid}/task/{thread}/comm").read_text(encoding="utf-8").strip()
