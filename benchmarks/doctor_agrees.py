"""Whether the doctor and a run agree on strange boards: ``python -m benchmarks.doctor_agrees [--json] [--only a,b]``.

Makes unprepared boards (:mod:`benchmarks.strangers.matrix`), runs ``harness doctor`` on all of them at once, lets
``harness run`` measure one small network on all of them, and prints both verdicts for each. A board that the doctor
calls healthy must end VALID, any other must end FAILED. Exits with 1 where the verdicts differ, or where one is wrong
for its board. Needs root, for the boards' accounts, and some minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.common import table
from benchmarks.strangers import Finding, World, missing
from benchmarks.strangers.matrix import MATRIX, Kind, build

REPOSITORY = Path(__file__).parents[1]
#: Codes that are no verdict: two of these don't count as agreement.
NO_VERDICT = {"no-answer", "internal"}
NOTHING = Finding("no-answer", "", healthy=False, connected=False)


@dataclass(frozen=True)
class Row:
    """Both verdicts on one board."""

    board: str
    doctor: str
    run: str
    agree: bool
    #: both verdicts are correct for this board
    right: bool
    doctor_says: str
    run_says: str


def judge(kind: Kind, doctor: Finding, run: Finding) -> Row:
    agree = doctor.healthy == run.healthy and not {doctor.code, run.code} & NO_VERDICT
    right = doctor.healthy == run.healthy == kind.works
    if not kind.works:
        right = right and kind.judges(doctor) and kind.judges(run)
    state = "VALID" if run.healthy else ("INVALID" if run.connected else "FAILED")
    outcome = state if run.healthy else f"{state} {run.code}"
    return Row(kind.name, "healthy" if doctor.healthy else doctor.code, outcome, agree, right, doctor.text, run.text)


def compare(kinds: tuple[Kind, ...], models: Path) -> tuple[list[Row], dict[str, str]]:
    """The rows, and the reasons why some boards can't be made here."""
    with World() as world:
        stranger, devices, skipped = build(world, kinds)
        listed = stranger.list_boards(*devices)
        examined = stranger.doctor(listed)
        measured = stranger.measure(listed, models=models)
    for finding in (examined, measured):
        if finding.error:
            print(finding.error, file=sys.stderr)
    made = [kind for kind in kinds if kind.name not in skipped]
    rows = [judge(k, examined.get(k.name, NOTHING), measured.get(k.name, NOTHING)) for k in made]
    return rows, skipped


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=REPOSITORY / "models")
    parser.add_argument("--only", help="comma list of boards")
    parser.add_argument("--json", action="store_true", help="one JSON object, with what both said")
    given = parser.parse_args()
    if reason := missing():
        print(reason, file=sys.stderr)
        return 2
    wanted = given.only.split(",") if given.only else [kind.name for kind in MATRIX]
    if unknown := set(wanted) - {kind.name for kind in MATRIX}:
        parser.error(f"no such board: {', '.join(sorted(unknown))}")
    rows, skipped = compare(tuple(kind for kind in MATRIX if kind.name in wanted), given.models)
    if given.json:
        print(json.dumps({"boards": [asdict(row) for row in rows], "skipped": skipped}))
    else:
        columns = ("board", "doctor", "run", "agree", "as it should be")
        yes = {True: "yes", False: "NO"}
        table(columns, [(row.board, row.doctor, row.run, yes[row.agree], yes[row.right]) for row in rows])
        for row in rows:
            if not row.right:
                print(f"\n{row.board}\n  doctor: {row.doctor_says}\n  run: {row.run_says}")
        for name, why in skipped.items():
            print(f"not tried: {name}: {why}")
        agreeing, right = sum(row.agree for row in rows), sum(row.right for row in rows)
        print(f"\n{agreeing} of {len(rows)} agree, {right} are as they should be")
    return 0 if rows and all(row.agree and row.right for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
