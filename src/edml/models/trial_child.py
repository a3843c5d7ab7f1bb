"""The child in which a model is tried: ``python -m edml.models.trial_child FOLDER``.

It knows no application and no log: it has the artefact, and the rows that the model is asked.
"""

import json
import os
import resource
import sys
import threading
from pathlib import Path
from typing import Final

_NICE: Final = 10
"""A tenth of a core beside who is busy there. With 19 it would be a seventieth: a good model would
be refused for not being loaded in time wherever events keep the machine busy."""


def main(folder: Path) -> None:
    """Try the artefact in a folder, and leave there what came of it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(_NICE)
    os.environ["POLARS_MAX_THREADS"] = "1"
    task = json.loads((folder / "task.json").read_text())
    seconds = int(task["time_s"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_DATA, (task["memory_bytes"], task["memory_bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    import polars as pl

    from edml.errors import EdmlError
    from edml.models import flavours, trial
    from edml.models.admission import warm
    from edml.models.archive import unpack
    from edml.models.binding import bind

    try:
        rows = pl.read_ipc(folder / trial.ROWS)
        unpack((folder / trial.ARTEFACT).read_bytes(), folder / "unpacked")
        predictor = flavours.named(task["flavour"]).load(folder / "unpacked")
        predictor.predict(bind(predictor.signature, rows))
        warm(predictor, rows, task["sizes"])
    except EdmlError as refusal:
        (folder / trial.REFUSAL).write_text(refusal.what, encoding="utf-8")
    except MemoryError:
        (folder / trial.REFUSAL).write_text("it takes more memory than a trial may have")
    # Each runtime has errors of its own; whatever it says, the model is not usable.
    except Exception as error:  # noqa: BLE001
        text = f"the model fails to predict: {error}"
        (folder / trial.REFUSAL).write_text(text, encoding="utf-8")
    else:
        (folder / trial.PASSED).touch()
    # Whatever a library would still do at the end is nobody's business.
    os._exit(0)


def _end_with_parent() -> None:
    """End when the parent's end of our standard input is closed, by whatever ended the parent."""
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
