"""TensorFlow, imported without the pages that it writes about the machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Whoever has set them wants to read: what is set stays.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Models this small are quickest on the processor, and looking for another one takes a second.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def import_tensorflow() -> Any:
    """Give TensorFlow; of its warnings, only errors are left."""
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    return tf


@contextmanager
def silent_standard_error() -> Iterator[None]:
    """Let nothing reach standard error: TensorFlow's own code writes there before it can be told.

    The whole process is silent for as long, so this is for a command that does nothing else.
    """
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
