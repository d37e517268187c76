"""What is wrong with a copy of a data set: each fault with its place and its fix, and the findings as a
whole."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.core.errors import DataError

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

#: How many places of one kind of fault are shown as text; JSON always has them all.
SHOWN: dict[Severity, int] = {"error": 12, "warning": 12, "note": 3}


def printable(text: str) -> str:
    """``text`` safe for a terminal, a log and JSON: control characters and undecodable bytes are escaped.

    File names and cells come from a copy nobody has checked; they may hold terminal escape codes.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


@dataclass(frozen=True)
class Fault:
    """One thing that is not as it should be.

    Attributes:
        severity: ``error``: something was left out, or labels can't be trusted. ``warning``: used, but look
            at it.
            ``note``: harmless, said so that nothing happens silently.
        code: stable short name for scripts, e.g. ``truncated-image``.
        path: relative to the path that was checked, with ``/``; ``.`` for the whole of it.
        line: 1-based, where the place is a line in a text file.
        text: what is wrong.
        fix: what to do about it; empty where nothing needs doing.
        fatal: the labels as a whole can't be trusted or nothing is usable: loading must refuse.
    """

    severity: Severity
    code: str
    path: str
    line: int | None
    text: str
    fix: str = ""
    fatal: bool = False

    @property
    def place(self) -> str:
        """``path:line``, or only the path."""
        return self.path if self.line is None else f"{self.path}:{self.line}"


@dataclass
class FaultLog:
    """Collects faults while a copy is read, and counts the images that each kind made us leave out."""

    all: list[Fault] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def error(
        self,
        code: str,
        path: str,
        text: str,
        *,
        line: int | None = None,
        fix: str = "",
        images: int = 0,
    ) -> None:
        """Note an error that made us leave out ``images`` images (0 where no image was there to lose)."""
        self._add(Fault(severity="error", code=code, path=path, line=line, text=text, fix=fix))
        self.leave_out(code, images)

    def fatal(self, code: str, path: str, text: str, *, line: int | None = None, fix: str = "") -> None:
        """Note an error for which loading must refuse the whole copy."""
        self._add(Fault(severity="error", code=code, path=path, line=line, text=text, fix=fix, fatal=True))

    def warning(self, code: str, path: str, text: str, *, line: int | None = None, fix: str = "") -> None:
        """Note something that was used all the same."""
        self._add(Fault(severity="warning", code=code, path=path, line=line, text=text, fix=fix))

    def note(self, code: str, path: str, text: str, *, line: int | None = None, fix: str = "") -> None:
        """Note something harmless."""
        self._add(Fault(severity="note", code=code, path=path, line=line, text=text, fix=fix))

    def leave_out(self, code: str, images: int) -> None:
        """Count ``images`` images as left out because of ``code``."""
        if images:
            self.left_out[code] += images

    def _add(self, fault: Fault) -> None:
        self.all.append(
            dataclasses.replace(fault, path=printable(fault.path), text=printable(fault.text), fix=printable(fault.fix))
        )


@dataclass(frozen=True)
class DataFindings:
    """What a data set holds, as it was found.

    Attributes:
        path: as it was given.
        form: of CK+ ``tree``, ``folders`` or ``csv``; other data sets say what they are; None: not recognised.
        mode: ``peak`` or ``last3`` for the tree, else None.
        crop: how faces were cut out: ``opencv <version>``, ``centre``, or ``none`` (already 48x48); None: no
            images.
        counts: usable images per class, in the order of ``CLASSES``.
        published: the same as published for a complete copy of this form; empty where the form is unknown.
        subjects, sequences: how many the usable images come from; None where the form does not tell.
        published_subjects, published_sequences: as published; None where the form does not tell.
        duplicates: images whose pixels are those of an earlier image.
        left_out: images found but not used, by the code of the fault.
        found: images that are there, in files or rows: :attr:`images`, ``left_out`` and :attr:`not_needed` together.
        usage: rows per value of the CSV's ``Usage`` column.
        faults: every fault, errors first, then by place.
    """

    path: str
    form: str | None
    mode: str | None = None
    crop: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    published: Mapping[str, int] = field(default_factory=dict)
    subjects: int | None = None
    published_subjects: int | None = None
    sequences: int | None = None
    published_sequences: int | None = None
    duplicates: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    found: int = 0
    usage: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    @property
    def images(self) -> int:
        """How many images can be used."""
        return sum(self.counts.values())

    @property
    def not_needed(self) -> int:
        """Images of the official tree that are not asked for: earlier frames, and sequences without a label."""
        return self.found - self.images - sum(self.left_out.values())

    @property
    def fatal(self) -> Fault | None:
        """The first reason for which loading refuses; None where the copy loads."""
        return next((fault for fault in self.faults if fault.fatal), None)

    def refusal(self) -> DataError:
        """Why loading refuses, for :attr:`fatal`."""
        assert self.fatal is not None
        fault, path = self.fatal, printable(self.path)
        return DataError(
            f"{path if fault.place == '.' else f'{path}: {fault.place}'}: {fault.text}", fix=fault.fix or None
        )

    @property
    def errors(self) -> int:
        """How many faults are errors."""
        return self.count("error")

    def count(self, severity: Severity) -> int:
        """How many faults there are of one severity."""
        return sum(fault.severity == severity for fault in self.faults)


def not_recognised(path: str, error: DataError) -> DataFindings:
    """The findings where nothing could be looked at: ``error`` as their only fault."""
    fault = Fault(
        severity="error", code="no-form", path=".", line=None, text=printable(error.message), fix=error.fix or "",
        fatal=True,
    )  # fmt: skip
    return DataFindings(path=path, form=None, faults=(fault,))


def in_order(faults: list[Fault]) -> tuple[Fault, ...]:
    """Fatal ones first, then errors, warnings, notes; then by place. The order never depends on the file
    system."""
    return tuple(
        sorted(
            faults,
            key=lambda f: (not f.fatal, SEVERITIES.index(f.severity), f.code, f.path, f.line or 0, f.text),
        )
    )


def to_json(findings: DataFindings) -> dict[str, object]:
    """All findings as plain dicts, lists, strings and numbers, ready for ``json.dumps``."""
    return {
        **dataclasses.asdict(findings),
        "images": findings.images,
        "not_needed": findings.not_needed,
        "usable": findings.fatal is None and findings.images > 0,
        "errors": findings.count("error"),
        "warnings": findings.count("warning"),
        "notes": findings.count("note"),
    }


def render(findings: DataFindings) -> str:
    """The findings as plain text for a terminal: without colours, without a line feed at the end."""
    lines = [f"path       {printable(findings.path)}", f"form       {_FORMS.get(findings.form, findings.form)}"]
    if findings.mode:
        lines.append(f"mode       {findings.mode}")
    if findings.crop:
        lines.append(f"crop       {findings.crop}")
    if findings.published:
        lines += ["", *_table(findings)]
    if findings.found:
        total = sum(findings.left_out.values())
        needless = f", {findings.not_needed} not needed" if findings.not_needed else ""
        lines += ["", f"there      {findings.found} images: {findings.images} used, {total} left out{needless}"]
    if findings.left_out:
        kinds = ", ".join(f"{code} {count}" for code, count in sorted(findings.left_out.items()))
        lines.append(f"left out   {total} images: {kinds}")
    if findings.usage:
        lines.append("usage      " + ", ".join(f"{name} {count}" for name, count in sorted(findings.usage.items())))
    lines += _fault_lines(findings)
    lines += ["", _verdict(findings)]
    return "\n".join(lines)


_FORMS = {
    "tree": "official tree (Emotion/ and cohn-kanade-images/)",
    "folders": "class folders (the 981-image form)",
    "csv": "ckextended.csv",
    None: "not recognised",
}


def _table(findings: DataFindings) -> list[str]:
    rows: list[tuple[str, int | None, int | None]] = [
        (name, findings.counts.get(name, 0), wanted) for name, wanted in findings.published.items()
    ]
    rows.append(("images", findings.images, sum(findings.published.values())))
    rows.append(("subjects", findings.subjects, findings.published_subjects))
    rows.append(("sequences", findings.sequences, findings.published_sequences))
    lines = [f"{'':10} {'found':>9} {'published':>9}"]
    for name, there, published in rows:
        mark = "" if there == published else "  differs"
        lines.append(f"{name:10} {_number(there):>9} {_number(published):>9}{mark}")
    lines.append(f"{'duplicates':10} {findings.duplicates:>9}")
    return lines


def _number(value: int | None) -> str:
    return "not told" if value is None else str(value)


def _fault_lines(findings: DataFindings) -> list[str]:
    """Faults grouped by kind, so that 266 empty label folders don't hide one truncated image."""
    groups: dict[tuple[Severity, str], list[Fault]] = {}
    for fault in findings.faults:
        groups.setdefault((fault.severity, fault.code), []).append(fault)
    lines = []
    for (severity, code), faults in groups.items():
        shown = SHOWN[severity]
        times = f" ({len(faults)} times)" if len(faults) > 1 else ""
        lines += ["", f"{severity} {code}{times}"]
        lines += [f"  {fault.place}: {fault.text}" for fault in faults[:shown]]
        if len(faults) > shown:
            lines.append(f"  ... and {len(faults) - shown} more; --json lists them all")
        for fix in dict.fromkeys(fault.fix for fault in faults[:shown] if fault.fix):
            lines.append(f"  fix: {fix}")
    return lines


def _verdict(findings: DataFindings) -> str:
    counts = ", ".join(f"{findings.count(severity)} {severity}s" for severity in SEVERITIES)
    if findings.fatal or not findings.images:
        return f"This copy can't be used: {counts}."
    return f"{findings.images} images can be used: {counts}."
