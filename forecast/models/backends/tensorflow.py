"""TensorFlow and Keras, imported in this one place, late and without their start-up chatter."""

from __future__ import annotations

import gc
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from forecast.version import versions_of

# Information that TensorFlow's C++ side prints while it is imported, whatever the log level says.
_CHATTER = re.compile(rb"^(WARNING: All log messages before absl|I\d{4} |To enable the following instructions)")


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold standard error back at the level of the file descriptor, and let through all but the chatter."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            os.write(2, b"".join(line for line in held if not _CHATTER.match(line)))


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Look for no garbage for a while: a fifth of the time that an import takes, which makes next to none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


# Read once, at import: the C++ log (a real failure also raises in Python), and the choice of Keras's backend.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
versions_of("tensorflow", "keras")  # or a sentence on what to install
with _without_chatter(), _without_collecting():
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.ops import gradient_registry

    # Device discovery prints too, so it happens here. With it, the same seed gives the same bits.
    HAS_GPU = bool(tf.config.list_physical_devices("GPU"))
    tf.config.experimental.enable_op_determinism()


@contextmanager
def letting_go_of_graphs() -> Iterator[None]:
    """Forget the gradients that were declared meanwhile: a block whose graphs nobody takes a gradient of later.

    TensorFlow registers the gradient of each call of a `tf.custom_gradient` in a graph, and never takes it out; with it
    it would hold the graph, some megabytes a training, as long as the process lives.
    """
    declared = getattr(gradient_registry, "_registry", {})
    before = set(declared)
    try:
        yield
    finally:
        for name in declared.keys() - before:
            if name.startswith("CustomGradient-"):
                del declared[name]


# Every network has a function of its own, which is what this warning takes for a mistake.
tf.get_logger().addFilter(lambda record: "triggered tf.function retracing" not in record.getMessage())

__all__ = ["HAS_GPU", "keras", "letting_go_of_graphs", "tf"]
