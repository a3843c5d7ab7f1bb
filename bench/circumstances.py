"""Under what circumstances figures were taken: machine, releases, sizes."""

import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import psutil

from bench.jars import KAFKA_RELEASE, ONNX_RUNTIME_RELEASE
from bench.plan import Plan


def circumstances(plan: Plan) -> dict[str, Any]:
    """What a reader must know to judge the figures."""
    return {
        "at": now(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "kafka": KAFKA_RELEASE,
        "onnxruntime": ONNX_RUNTIME_RELEASE,
        "confluent_kafka": version("confluent-kafka"),
        "plan": asdict(plan),
    }


def now() -> str:
    """The time of day, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
