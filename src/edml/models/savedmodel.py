"""The SavedModel flavour: a model as TensorFlow saves it, called by its serving signature."""

from pathlib import Path
from typing import Any, Final

from edml.errors import ModelRefusedError
from edml.models.flavour import Columns, Outputs, Predictor, in_parts
from edml.models.quiet_tensorflow import import_tensorflow
from edml.models.records import Signature, Tensor

_SIGNATURE: Final = "serving_default"
_TAGS: Final = ["serve"]


class SavedModelFlavour:
    """Loads ``saved_model/``."""

    name: Final = "savedmodel"
    path: Final = "saved_model"

    def load(self, folder: Path, *, threads: int = 1) -> Predictor:
        """Load the model into a session of its own, which keeps to its number of threads.

        A session runs the pruned graph of the signature and nothing else; TensorFlow's settings for
        the whole process stay as they are.
        """
        path = folder / self.path
        if not (path / "saved_model.pb").is_file():
            raise ModelRefusedError(f"the artefact has no SavedModel in {self.path!r}")
        tf = import_tensorflow()
        session = tf.compat.v1.Session(graph=tf.Graph(), config=_config(tf, threads))
        try:
            with session.graph.as_default():
                loader = tf.compat.v1.saved_model.loader
                definition = loader.load(session, _TAGS, str(path)).signature_def[_SIGNATURE]
        except KeyError as error:
            raise ModelRefusedError(f"the model has no signature {_SIGNATURE!r}") from error
        # TensorFlow raises its own errors, protobuf's, and plain ones.
        except Exception as error:
            raise ModelRefusedError(f"TensorFlow cannot load the model: {error}") from error
        return _SavedModelPredictor(session, definition)


class _SavedModelPredictor:
    """The serving signature of a loaded SavedModel."""

    def __init__(self, session: Any, definition: Any) -> None:
        self._session = session  # the callable does not keep it alive
        self._inputs = sorted(definition.inputs)
        self._outputs = sorted(definition.outputs)
        self._signature = Signature(
            inputs=[_tensor(name, definition.inputs[name]) for name in self._inputs],
            outputs=[_tensor(name, definition.outputs[name]) for name in self._outputs],
        )
        from tensorflow.core.protobuf.config_pb2 import CallableOptions

        options = CallableOptions(
            feed=[definition.inputs[name].name for name in self._inputs],
            fetch=[definition.outputs[name].name for name in self._outputs],
            # Within the thread that calls: to hand each node to another takes longer than the node.
            run_options={"inter_op_thread_pool": -1},
        )
        # What `make_callable` gives looks the graph up again at each call, 0.2 ms long.
        self._call = session._make_callable_from_options(options)  # noqa: SLF001

    @property
    def signature(self) -> Signature:
        """What the serving signature declares."""
        return self._signature

    def predict(self, columns: Columns) -> Outputs:
        """Run the signature, part of the batch by part."""
        return in_parts(self._predict, columns)

    def _predict(self, columns: Columns) -> Outputs:
        outputs = self._call(*(columns[name] for name in self._inputs))
        return dict(zip(self._outputs, outputs, strict=True))


def _config(tf: Any, threads: int) -> Any:
    return tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=threads,
        inter_op_parallelism_threads=1,
        use_per_session_threads=True,
    )


def _tensor(name: str, info: Any) -> Tensor:
    return Tensor(
        name=name,
        dtype=import_tensorflow().dtypes.as_dtype(info.dtype).name,
        shape=[int(dimension.size) for dimension in info.tensor_shape.dim],
    )


SAVED_MODEL: Final = SavedModelFlavour()
