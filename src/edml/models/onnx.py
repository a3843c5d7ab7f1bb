"""The ONNX flavour: a model as one ``.onnx`` file, run by ONNX Runtime."""

from pathlib import Path
from typing import Any, Final

from edml.errors import ModelRefusedError
from edml.models.flavour import Columns, Outputs, Predictor, in_parts
from edml.models.records import Signature, Tensor

_DTYPES: Final = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": "string",
}


class OnnxFlavour:
    """Loads ``model.onnx``."""

    name: Final = "onnx"
    path: Final = "model.onnx"

    def load(self, folder: Path, *, threads: int = 1) -> Predictor:
        """Load the file into ONNX Runtime, on the processor."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that wait must not burn what the broker on the same machine needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(
                (folder / self.path).read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except FileNotFoundError as error:
            raise ModelRefusedError(f"the artefact has no file {self.path!r}") from error
        # ONNX Runtime's own errors have only RuntimeError and Exception in common.
        except Exception as error:
            raise ModelRefusedError(f"ONNX Runtime cannot load the model: {error}") from error
        return _OnnxPredictor(session)


class _OnnxPredictor:
    """A session of ONNX Runtime."""

    def __init__(self, session: Any) -> None:
        self._run = session.run
        self._outputs = [output.name for output in session.get_outputs()]
        self._signature = Signature(
            inputs=[_tensor(each) for each in session.get_inputs()],
            outputs=[_tensor(each) for each in session.get_outputs()],
        )

    @property
    def signature(self) -> Signature:
        """What the graph declares."""
        return self._signature

    def predict(self, columns: Columns) -> Outputs:
        """Run the graph, part of the batch by part."""
        return in_parts(self._predict, columns)

    def _predict(self, columns: Columns) -> Outputs:
        return dict(zip(self._outputs, self._run(self._outputs, columns), strict=True))


def _tensor(argument: Any) -> Tensor:
    """Describe an input or output; a dimension with a name, or none, is the batch."""
    return Tensor(
        name=argument.name,
        dtype=_DTYPES.get(argument.type, argument.type),
        shape=[size if isinstance(size, int) else -1 for size in argument.shape],
    )


ONNX: Final = OnnxFlavour()
