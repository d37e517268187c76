"""The limits of the verdict, in one table: a measurement beyond one of them is not VALID.

``docs/measuring.md`` explains each limit. devices.yaml overrides them per device (``thresholds: {waited: 0.3}``). Each
cell's evidence records the limits that were used. None (``null``) switches a check off.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from harness.core.scalars import number

Share = Annotated[float, BeforeValidator(number), Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, BeforeValidator(number), Field(gt=0, le=1e6, allow_inf_nan=False)]


class Thresholds(BaseModel):
    """The limits. Shares are from 0 to 1. All but those of predictions and outputs apply to measurements on the wall
    clock only.

    Attributes:
        warmup_tolerance: the warm-up is over when two medians differ by less than this share.
        drift: change of the median from the first to the last third of the timed series, as a share. The change must
            also be a trend by Cox and Stuart's test (p < 0.001).
        dispersion: interquartile range of the timed series as a share of its median.
        waited: share of the timed passes in which a thread of the runner was ready but had no processor.
        stolen: share of the machine's processor time that its hypervisor gave to others (steal in /proc/stat).
        others: share of the machine's processor time that other processes used.
        memory_stall: share of the timed passes in which some process waited for memory (PSI).
        frequency_drop: fall of the fastest core's frequency below the highest seen during the passes, as a share.
        machine: difference of the canary's time between two rounds of a cell, as a share. A process that shares a core
            with another process takes 1.6 times as long for the loop that computes.
        clock_step_s: shift of the wall clock against the monotonic clock during a cell, in seconds.
        stopped_s: longest single halt of the runner, in seconds: stopped, frozen, or asleep with its machine.
        predictions: share of images whose prediction differs from that of the artifact when it was built. int8 kernels
            round differently from CPU to CPU: MobileNetV3-Small under ONNX Runtime predicts two of 99 images
            differently on ARM than on x86. It is used where there are no golden outputs. None switches off what is said
            of outputs, too: no answer is judged then.
        outputs_float, outputs_half, outputs_int8: largest difference of any element of an output from the golden one,
            as a share of the largest golden magnitude. ``half`` is of files with float16 weights or outputs, ``int8``
            of files with int8 weights or integer outputs, ``float`` of all others.
        outputs_float_rms, outputs_half_rms, outputs_int8_rms: the same of the root mean square of all elements.
        outputs_index: share of elements that differ, of outputs that are whole numbers without a scale, or yes and no.
        outputs_other_release: factor on these limits where the board has another release of the runtime than the one
            that made the golden outputs, or another runtime.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    warmup_tolerance: Share = 0.02
    drift: Positive | None = 0.1
    dispersion: Positive | None = 0.3
    waited: Share | None = 0.4
    stolen: Share | None = 0.1
    others: Share | None = 0.8
    memory_stall: Share | None = 0.1
    frequency_drop: Share | None = 0.15
    machine: Positive | None = 1.0
    clock_step_s: Positive | None = 2.0
    stopped_s: Positive | None = 0.1
    predictions: Share | None = 0.03
    outputs_float: Positive | None = 0.02
    outputs_float_rms: Positive | None = 0.005
    outputs_half: Positive | None = 0.1
    outputs_half_rms: Positive | None = 0.02
    outputs_int8: Positive | None = 0.1
    outputs_int8_rms: Positive | None = 0.02
    outputs_index: Share | None = 0.03
    outputs_other_release: Annotated[float, BeforeValidator(number), Field(ge=1, le=1e6, allow_inf_nan=False)] = 4.0

    def outputs(
        self, dtype: str, variant: str, *, meaning: str = "real", same_release: bool = True
    ) -> tuple[float | None, float | None]:
        """The limits of the differences of an output tensor: (of any element, of all in root mean square).

        Args:
            dtype: the tensor's element type.
            variant: of the file: what its weights and activations are.
            meaning: ``index`` for whole numbers without a scale, such as class numbers, and for yes and no.
            same_release: whether the golden outputs are of the same release of the same runtime.
        """
        if self.predictions is None:
            return None, None
        if meaning == "index":
            limits: tuple[float | None, float | None] = self.outputs_index, None
        elif variant in ("int8", "dynamic") or dtype in ("int8", "uint8"):
            limits = self.outputs_int8, self.outputs_int8_rms
        elif variant == "fp16" or dtype == "float16":
            limits = self.outputs_half, self.outputs_half_rms
        else:
            limits = self.outputs_float, self.outputs_float_rms
        factor = 1.0 if same_release else self.outputs_other_release
        largest, rms = (limit if limit is None else limit * factor for limit in limits)
        return largest, rms


DEFAULTS = Thresholds()
