"""Accuracy on strangers: drawn people that no network was trained on, with every network in every form that is there.

    python -m benchmarks.unseen [--models models] [--seeds 201,202] [--ours resvgg19-pruned,...]

The first table has each file's accuracy with its 95 % interval by person. The second has each of our pruned networks
against each rival, published or pruned, on the same images: ours in its least accurate form, the rival in its most
accurate one, so that what holds there holds for any two forms. Frames of one person are alike, so a person is one draw:
intervals come from the spread between people, and p-values from a sign-flip permutation test over people, adjusted by
Holm's method for the number of tests (harness/core/clusters.py).

Files run by LiteRT and ONNX Runtime on this machine. Nothing is trained or written; answers are kept in the cache.
``harness build --unseen`` puts the accuracies for the default seeds into the manifests.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import table
from harness.core import clusters
from harness.core.errors import HarnessError, UsageError
from harness.core.stats import holm
from harness.data.synthetic.strangers import SEEDS
from harness.records import manifest as manifests
from harness.report.paper import roles
from harness.training.unseen import People, answers, files, judges


@dataclass(frozen=True)
class Scored:
    """A file's answers to strangers: ``right`` says of each image whether its answer is, shape (n,)."""

    network: str
    filename: str
    role: str
    right: NDArray[np.bool_]

    @property
    def label(self) -> str:
        return f"{self.network}/{self.filename}"

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())


def scored(models: Path, people: People) -> list[Scored]:
    """Every file that is there, of every network that was trained on the drawn faces; others are named on stderr.

    Raises:
        HarnessError: there is none, or one can't be run.
    """
    found = []
    for name in manifests.names(models):
        manifest = manifests.load(models, name)
        if not judges(manifest):
            print(f"{name}: left out, it was not trained on the drawn faces", file=sys.stderr)
            continue
        for artifact, path in files(models, manifest):
            right = people.right(answers(path, people))
            found.append(Scored(name, artifact.filename, roles.role(name, manifest), right))
    if not found:
        raise UsageError(f"no network for drawn faces in {models}/", fix="harness build")
    return found


def accuracies(found: Sequence[Scored], people: People) -> list[tuple[object, ...]]:
    """The rows of the first table, the most accurate network first."""
    best = {network: max(each.accuracy for each in mine) for network, mine in _by_network(found).items()}
    rows = []
    for each in sorted(found, key=lambda one: (-best[one.network], one.network, one.filename)):
        inside = clusters.proportion(each.right, people.persons)
        count = f"{int(each.right.sum())} of {len(each.right)}"
        rows.append((each.network, each.filename, each.role, count, f"{inside.value:.4f}",
                     f"{inside.low:.4f} to {inside.high:.4f}"))  # fmt: skip
    return rows


def against(found: Sequence[Scored], people: People, ours: Sequence[str]) -> list[tuple[object, ...]]:
    """The rows of the second table: each of ours with each rival, and p-values adjusted over all of them."""
    networks = _by_network(found)
    rivals = [max(each, key=lambda one: one.accuracy) for each in networks.values() if each[0].role != roles.OURS]
    rivals.sort(key=lambda rival: -rival.accuracy)
    pairs = [(min(networks[name], key=lambda one: one.accuracy), rival) for name in ours for rival in rivals]
    tests = [clusters.difference(mine.right, rival.right, people.persons) for mine, rival in pairs]
    adjusted = holm([test.p_value for test in tests])
    return [
        (
            mine.label, rival.label, rival.role.removeprefix("rival "), f"{mine.accuracy:.4f}",
            f"{rival.accuracy:.4f}", f"{test.interval.value * 100:+.1f}",
            f"{test.interval.low * 100:+.1f} to {test.interval.high * 100:+.1f}", f"{p_value:.2g}",
        )
        for (mine, rival), test, p_value in zip(pairs, tests, adjusted, strict=True)
    ]  # fmt: skip


def _by_network(found: Sequence[Scored]) -> Mapping[str, list[Scored]]:
    networks: dict[str, list[Scored]] = {}
    for each in found:
        networks.setdefault(each.network, []).append(each)
    return networks


def pruned_of_ours(found: Sequence[Scored]) -> list[str]:
    """The pruned networks of this project: the one of the paper's claims, and those beside it."""
    return [name for name in _by_network(found) if name.startswith(roles.PRUNED)]


def seeds_of(text: str) -> tuple[int, ...]:
    """The seeds of a comma-separated list."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no list of whole numbers such as 201,202") from None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--seeds", type=seeds_of, default=SEEDS, help="of the generator; not 0, which was trained on")
    parser.add_argument("--ours", default="", help="networks to compare with rivals; all our pruned ones by default")
    options = parser.parse_args()
    try:
        people = People.of(options.seeds)
        found = scored(options.models, people)
        ours = options.ours.split(",") if options.ours else pruned_of_ours(found)
        if unknown := set(ours) - {each.network for each in found}:
            raise UsageError(f"no file of {', '.join(sorted(unknown))} in {options.models}/")
    except HarnessError as error:
        print(f"benchmarks.unseen: {error}", file=sys.stderr)
        return error.exit_code
    persons = len(set(people.persons))
    print(f"{len(people.persons)} images of {persons} strangers, seeds {', '.join(map(str, people.seeds))}\n")
    table(("network", "file", "role", "right", "accuracy", "95 % interval by person"), accuracies(found, people))
    print()
    head = ("ours, least accurate form", "rival, most accurate form", "rival is", "ours", "rival", "points",
            "95 % interval", "adjusted p")  # fmt: skip
    table(head, against(found, people, ours))
    return 0


if __name__ == "__main__":
    sys.exit(main())
