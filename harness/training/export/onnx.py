"""Keras to ONNX opset 13, IR 7 (what ONNX Runtime 1.10 on Python 3.6 still reads): fp32, fp16 and static QDQ int8."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import BuildError
from harness.records.manifest import Variant
from harness.training.arrays import Images, Model, Pixels
from harness.training.export.onnx_names import number_anew
from harness.training.export.tflite import quiet
from harness.training.train.epochs import as_input

if TYPE_CHECKING:
    from onnxruntime.quantization import CalibrationDataReader

OPSET, IR = 13, 7
#: int8 activations cover this share of the values seen on training images, in percent
PERCENTILE = 99.99
QUANTISATION: dict[str, str] = {
    "fp32": "none",
    "fp16": "weights and activations float16, input and output float32",
    "int8": "static QDQ: weights 7 bits in int8 per channel, activations int8, 99.99th percentile of training images",
}


def export_onnx(model: Model, path: Path, variant: Variant, representative: Images) -> None:
    """Write one variant (fp32, fp16 or int8) with a fixed batch of 1; arguments as for ``export_tflite``.

    Raises:
        BuildError: a converter failed, or the file isn't opset 13 / IR 7.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, _hushed():
        plain = Path(folder) / "plain.onnx"
        try:
            _to_onnx(model, plain)
            if variant == "fp32":
                path.write_bytes(plain.read_bytes())
            elif variant == "fp16":
                _half(plain, path)
            else:
                _quantise(plain, path, representative)
        except BuildError:
            raise
        except Exception as error:  # three converters, each with its own errors
            raise BuildError(f"{model.name}: ONNX {variant} conversion failed: {error}") from error
    _check(path)


def _to_onnx(model: Model, path: Path) -> None:
    import onnx
    import tensorflow as tf

    signature = [tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="pixels")]
    with quiet():
        model.export(path, format="onnx", opset_version=OPSET, input_signature=signature, verbose=False)
    loaded = onnx.load(path)
    loaded.ir_version = IR
    number_anew(loaded)
    onnx.save(loaded, path)


def _half(plain: Path, path: Path) -> None:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(plain), keep_io_types=True), path)


def _quantise(plain: Path, path: Path, representative: Images) -> None:
    import onnx
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    ready = plain.with_name("ready.onnx")
    quant_pre_process(str(plain), str(ready), skip_symbolic_shape=True)
    q.quantize_static(
        str(ready),
        str(path),
        _reader(onnx.load(ready).graph.input[0].name, representative),
        quant_format=q.QuantFormat.QDQ,
        per_channel=True,
        # x86 without VNNI adds two int8 products in 16 bits, which overflows silently: MobileNetV2 agreed with fp32 on
        # 90 of 99 images there, and on 99 with weights of 7 bits. Boards have no such limit but run the same file.
        reduce_range=True,
        activation_type=q.QuantType.QInt8,
        weight_type=q.QuantType.QInt8,
        # one rare bright activation must not coarsen all others
        calibrate_method=q.CalibrationMethod.Percentile,
        extra_options={
            "ActivationSymmetric": False,
            "WeightSymmetric": True,
            "CalibTensorRangeSymmetric": False,
            "CalibPercentile": PERCENTILE,
        },
    )
    loaded = onnx.load(path)
    loaded.ir_version = IR
    onnx.save(loaded, path)


def _reader(name: str, representative: Images) -> CalibrationDataReader:
    """A reader that gives ONNX Runtime's quantiser one image after the other, as the input of that name."""
    from onnxruntime import quantization as q

    class Reader(q.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rows = iter(as_input(representative))

        def get_next(self) -> dict[str, Pixels] | None:
            row = next(self.rows, None)
            return None if row is None else {name: row[None]}

    return Reader()


def _check(path: Path) -> None:
    import onnx

    loaded = onnx.load(path)
    opsets = {entry.domain: entry.version for entry in loaded.opset_import}
    if opsets.get("", 0) != OPSET or loaded.ir_version > IR:
        raise BuildError(f"{path.name}: opset {opsets.get('')}, IR {loaded.ir_version}; wanted {OPSET}, {IR}")


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Silence the quantisers, which log advice at warning level for every model."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
