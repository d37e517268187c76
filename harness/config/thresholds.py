"""Where a measurement stops being believed: every limit of the verdict, in one table.

``docs/measuring.md`` explains each. devices.yaml overrides them per device (``thresholds: {waited: 0.3}``); the ones
that were used are recorded in each cell's evidence. None (``null``) switches a check off.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from harness.config.scalars import number

Share = Annotated[float, BeforeValidator(number), Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, BeforeValidator(number), Field(gt=0, le=1e6, allow_inf_nan=False)]


class Thresholds(BaseModel):
    """Shares are from 0 to 1. All but ``predictions`` judge measurements on the wall clock alone.

    Attributes:
        warmup_tolerance: two medians that differ by less than this share are taken as equal when looking for the end
            of the warm-up.
        drift: how far the median may move between the first and the last third of the timed series, as a share; it
            must also be a trend by Cox and Stuart's test (p < 0.001).
        dispersion: interquartile range of the timed series as a share of its median.
        waited: share of the timed passes in which a thread of the runner stood ready while others had the processor.
        stolen: share of the machine's processor time that its hypervisor gave to others (steal in /proc/stat).
        others: share of the machine's processor time that other processes used.
        memory_stall: share of the timed passes in which some process waited for memory (PSI).
        frequency_drop: how far the fastest core's frequency may fall below the highest seen during the passes.
        machine: how much longer the canary may take in one round of a cell than in another, as a share. A process that
            shares a core with another one takes 1.6 times as long for the loop that computes.
        clock_step_s: how far the wall clock may move against the monotonic clock during a cell, in seconds.
        stopped_s: how long the runner may stand still at once, in seconds: stopped, frozen, or asleep with its machine.
        predictions: share of images that may be answered otherwise than by the artifact when it was built. int8 kernels
            round differently from CPU to CPU: MobileNetV3-Small under ONNX Runtime answers two of 99 otherwise on ARM
            than on x86.
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


DEFAULTS = Thresholds()
