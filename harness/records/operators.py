"""Samples on the wall clock of files that end after each of a network's operators: where its time goes.

A file that ends one operator later takes that operator's time longer. Raw samples are stored; what each operator costs,
with its interval, is computed when they are read (:mod:`harness.results.operators`).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from harness.records.base import Nanoseconds, Record, Text

#: No network with more operators is taken apart.
MAX_OPERATORS = 2000
#: The most rounds in which prefixes are timed, and the most samples of one of them over all rounds.
MAX_PREFIX_ROUNDS, MAX_PREFIX_SAMPLES = 100, 5000

Series = Annotated[tuple[Nanoseconds, ...], Field(min_length=1, max_length=MAX_PREFIX_SAMPLES)]


class TimedOperator(Record):
    """The file that ends with one operator.

    Attributes:
        kind: such as ``CONV_2D``.
        name: of the tensor that it makes.
        prefix_ns: latencies of the network's operators up to this one.
    """

    kind: Text
    name: Text
    prefix_ns: Series


class OperatorTimes(Record):
    """All prefixes of one network, interleaved: each round times every one of them, loaded anew.

    Each series has the same number of samples in every round, round after round, in nanoseconds.

    Attributes:
        rounds: how often all were timed.
        threads: of the runtime.
        call_ns: latencies of the file without any operator: of calling the runtime.
        operators: in the order of execution.
        whole_ns: latencies of the unchanged file.
    """

    rounds: Annotated[int, Field(ge=1, le=MAX_PREFIX_ROUNDS)]
    threads: Annotated[int, Field(ge=1, le=1 << 20)]
    call_ns: Series
    operators: Annotated[tuple[TimedOperator, ...], Field(min_length=1, max_length=MAX_OPERATORS)]
    whole_ns: Series

    @model_validator(mode="after")
    def _whole_rounds(self) -> OperatorTimes:
        series = (self.call_ns, *(operator.prefix_ns for operator in self.operators), self.whole_ns)
        if any(len(each) % self.rounds for each in series):
            raise ValueError(f"samples that are not the same number in each of {self.rounds} rounds")
        return self


class NoTimes(Record):
    """Why the operators of a cell were to be timed and were not."""

    reason: Text
