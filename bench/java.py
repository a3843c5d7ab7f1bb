"""Compiles the Java peers, and says how they are run."""

import subprocess
from pathlib import Path

from bench import jars
from edml.errors import EdmlError
from edml.kafka.embedded.installation import Installation
from edml.kafka.embedded.java import java

SOURCES = Path(__file__).parent / "programs" / "java"
COMPILER = "org.eclipse.jdt.internal.compiler.batch.Main"
LANGUAGE = "-25"
HEAP = "-Xmx1g"


def compiled(installation: Installation, classes: Path) -> tuple[str, ...]:
    """Compile the peers' sources into ``classes``; gives back how a Java command begins."""
    class_path = jars.install(installation)
    sources = sorted(str(each) for each in SOURCES.glob("*.java"))
    compiler = [str(java()), "-cp", class_path, COMPILER, LANGUAGE, "-nowarn", "-cp", class_path]
    done = subprocess.run(
        [*compiler, "-d", str(classes), *sources], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise EdmlError(
            f"the Java peers do not compile:\n{done.stdout}{done.stderr}",
            where=str(SOURCES),
            todo="mend the line that the compiler names",
        )
    return (
        str(java()),
        HEAP,
        "-XX:+UseParallelGC",  # the collector for throughput
        "--enable-native-access=ALL-UNNAMED",
        "--sun-misc-unsafe-memory-access=allow",
        "-cp",
        f"{classes}:{class_path}",
    )
