"""The whole table: network, runtime, form and board, best first."""

from __future__ import annotations

from pathlib import Path

from benchmarks.made.cells import device, make_cell, make_run
from harness.records.cell import Cell, Reason, RuntimeInfo
from harness.report import render
from harness.report.gather import gather
from harness.report.ranking import SHOWN, ranking_table
from harness.results.formats import export
from tests.support.any_network import difference, outputs, unlabelled
from tests.support.reports import HERE, rows


def on(runtime: str, version: str, cell: Cell, **changes: object) -> Cell:
    """The cell as another runtime's."""
    info = RuntimeInfo(name=runtime, version=version, delegate="cpu", delegate_applied="cpu", delegate_verified=True,
                       threads=1)  # fmt: skip
    name = cell.cell.replace("+litert+", f"+{runtime}+")
    return cell.model_copy(update={"runtime": info, "cell": name, **changes})


def whole() -> list[Cell]:
    differs = Reason(code="outputs-differ", text="output 'scores' differs")
    fallback = Reason(code="delegate-fallback", text="asked for float32, the board computed in bfloat16")
    return [
        make_cell("ghostnet", "fp32", HERE, median_ms=5, outputs=outputs(difference(times=0.5))),
        on("openvino", "2026.4.1", make_cell("ghostnet", "fp32", HERE, median_ms=2)),
        on("openvino", "2026.4.1", make_cell("ghostnet", "int8", HERE, median_ms=3), status="INVALID",
           reasons=(differs,), outputs=outputs(difference(times=3.0))),
        on("openvino", "2026.4.1", make_cell("squeezenet", "fp32", HERE, status="FAILED"), reasons=(fallback,)),
        make_cell("squeezenet", "fp32", HERE, median_ms=4, threads=2),
        make_cell("ghostnet", "fp32", device(), median_ms=9),
    ]  # fmt: skip


def test_each_board_has_its_fastest_first_and_what_has_no_number_last(tmp_path: Path) -> None:
    render([make_run(tmp_path, whole())], tmp_path / "out", manifests={})
    table = rows(tmp_path / "out/tables/ranking.csv")
    here = [row for row in table if row["emulated"] == "false"]
    assert [(row["place"], row["model"], row["runtime"], row["form"], row["threads"]) for row in here] == [
        ("1", "ghostnet", "openvino", "fp32.tflite", "1"),
        ("2", "squeezenet", "litert", "fp32.tflite", "2"),
        ("3", "ghostnet", "litert", "fp32.tflite", "1"),
        ("", "ghostnet", "openvino", "int8.tflite", "1"),
        ("", "squeezenet", "openvino", "fp32.tflite", "1"),
    ]
    assert [row["status"] for row in here] == ["VALID", "VALID", "VALID", "INVALID", "FAILED"]
    assert [row["why"] for row in here] == ["", "", "", "outputs-differ", "delegate-fallback"]
    assert [row["runtime_version"] for row in here[:2]] == ["2026.4.1", "2.3.0"]
    assert [(row["place"], row["model"]) for row in table if row["emulated"] == "true"] == [("1", "ghostnet")]


def test_numbers_have_intervals_and_no_clock_stands_in_anothers_column(tmp_path: Path) -> None:
    render([make_run(tmp_path, whole())], tmp_path / "out", manifests={})
    table = rows(tmp_path / "out/tables/ranking.csv")
    for row in table:
        kinds = [name for name in row if name.startswith("median_") and row[name]]
        suffix = "_million_instructions" if row["emulated"] == "true" else "_ms"
        assert all(name.endswith(suffix) for name in kinds), kinds
        assert len(kinds) == (3 if row["status"] == "VALID" else 0)
        assert bool(row["times_best"]) == (row["status"] == "VALID")
    first = table[0]
    assert float(first["median_low_ms"]) <= float(first["median_ms"]) <= float(first["median_high_ms"])
    assert float(first["times_best"]) == 1
    assert 1.9 < float(table[1]["times_best"]) < 2.2


def test_agreement_with_golden_outputs_is_told(tmp_path: Path) -> None:
    cells = [*whole(), unlabelled(dev=HERE), unlabelled("words", HERE, outputs=outputs(samples=5).model_copy(
        update={"same_top1": 4}))]  # fmt: skip
    table = ranking_table(gather([make_run(tmp_path, cells)], {}))
    place = [name for name, _ in table.columns].index("agreement")
    told = {str(row[place]) for row in table.rows}
    assert told == {"agrees", "differs", "not compared", "agrees, same top answer 4 of 5"}


def test_the_page_shows_the_first_ones_and_folds_the_rest(tmp_path: Path) -> None:
    few = [make_cell("ghostnet", "fp32", HERE, threads=threads, median_ms=threads) for threads in range(1, SHOWN + 1)]
    render([make_run(tmp_path, few, name="few")], tmp_path / "few", manifests={})
    part = (tmp_path / "few/index.html").read_text().split('<h2 id="ranking">')[1].split("</section>")[0]
    assert part.count("<tr>") == 1 + SHOWN
    assert "<details" not in part
    many = [*few, *(make_cell("squeezenet", "fp32", HERE, threads=threads) for threads in (1, 2, 3))]
    render([make_run(tmp_path, many, name="many")], tmp_path / "many", manifests={})
    part = (tmp_path / "many/index.html").read_text().split('<h2 id="ranking">')[1].split("</section>")[0]
    assert "3 more</summary>" in part
    assert part.count("<tr>") == 1 + SHOWN + 1 + 3


def test_it_is_exported_as_every_cell_is(tmp_path: Path) -> None:
    text = export(make_run(tmp_path, whole()), "csv").decode()
    assert text.count("openvino,2026.4.1") == 3
