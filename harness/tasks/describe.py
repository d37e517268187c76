"""What ``harness data check --task`` says: the data by class and part, the input they make, and every fault."""

from __future__ import annotations

import numpy as np

from harness.core.errors import DataError
from harness.data.findings import DataFindings, fault_lines, not_recognised, printable, to_json, verdict
from harness.tasks.task import Task, TaskData

#: Classes that the text lists. JSON has all of them.
SHOWN_CLASSES = 40


def examine(task: Task) -> tuple[TaskData | None, DataFindings]:
    """The data and the findings, also where the data can't be read at all.

    Raises:
        UsageError: what the task names can't be.
    """
    try:
        return task.open_with_findings()
    except DataError as error:
        return None, not_recognised(str(task.path), error)


def as_json(task: Task, data: TaskData | None, findings: DataFindings) -> dict[str, object]:
    """All of it as plain values for ``json.dumps``."""
    told: dict[str, object] = {**to_json(findings), "task": task.name, "metric": task.metric.name}
    if data is None:
        return {**told, "usable": False}
    split = data.split
    return {
        **told,
        "classes": [printable(name) for name in data.classes],
        "input": {"shape": list(_input(data)), "dtype": "float32"},
        "split": {
            "scheme": split.scheme,
            "seed": split.seed,
            "train": len(split.train),
            "validation": len(split.validation),
            "test": len(split.test),
            "sha256": split.sha256,
        },
    }


def as_text(task: Task, data: TaskData | None, findings: DataFindings) -> str:
    """All of it for a terminal, without colours and without a final newline."""
    lines = [f"task       {task.name}", f"file       {printable(str(task.path))}", f"form       {findings.form}"]
    if data is not None:
        lines += _lines(task, data)
    if findings.found:
        total = sum(findings.left_out.values())
        lines += ["", f"there      {findings.found} samples: {findings.images} used, {total} left out"]
    if findings.left_out:
        lines.append("left out   " + ", ".join(f"{code} {n}" for code, n in sorted(findings.left_out.items())))
    return "\n".join([*lines, *fault_lines(findings), "", verdict(findings).replace("copy", "task")])


def _lines(task: Task, data: TaskData) -> list[str]:
    """The input, the split, the metric and a table of the classes."""
    split = data.split
    groups = f", {len(set(data.groups))} groups" if data.groups else ""
    lines = [
        f"input      {'x'.join(map(str, _input(data)))} float32, after preprocessing",
        f"split      {split.scheme}, seed {split.seed}{groups}",
        f"metric     {task.metric.name}",
        "",
        f"{'':24} {'training':>10} {'validation':>10} {'test':>10}",
    ]
    parts = (split.train, split.validation, split.test)
    if data.classes:
        by_part = [np.bincount(np.asarray(data.labels[p], dtype=np.int64), minlength=len(data.classes)) for p in parts]
        for k, name in enumerate(data.classes[:SHOWN_CLASSES]):
            lines.append(f"{printable(name)[:24]:24} " + " ".join(f"{counts[k]:>10}" for counts in by_part))
        if len(data.classes) > SHOWN_CLASSES:
            lines.append(f"... and {len(data.classes) - SHOWN_CLASSES} more classes; --json lists them all")
    lines.append(f"{'samples':24} " + " ".join(f"{len(part):>10}" for part in parts))
    return lines


def _input(data: TaskData) -> tuple[int, ...]:
    """The shape of a network's input for one sample, with its batch."""
    return (1, *data.values(data.split.test[:1]).shape[1:])
