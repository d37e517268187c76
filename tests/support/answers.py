"""Reading an answer of the runner."""

from __future__ import annotations

import json

from harness.records.answer import RunnerFailure, RunnerResult, parse_answer


def parse(answer: object, cell: str = "c") -> RunnerResult | RunnerFailure:
    """An answer to ``cell`` as the harness reads it from the board's bytes."""
    return parse_answer(json.dumps(answer).encode(), cell)
