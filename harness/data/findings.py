"""The findings about a copy of a data set: counts, and each fault with its place and its fix."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.core.errors import DataError

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

#: The number of places of one kind of fault that the text shows. JSON has all of them.
SHOWN: dict[Severity, int] = {"error": 12, "warning": 12, "note": 3}


def printable(text: str) -> str:
    """``text`` made safe for a terminal, a log and JSON: control characters and undecodable bytes are escaped.

    File names and cells come from an unchecked copy, so they may hold terminal escape codes.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


@dataclass(frozen=True)
class Fault:
    """One problem of a copy.

    Attributes:
        severity: ``error``: something was left out, or labels can't be trusted. ``warning``: used, but it needs a look.
            ``note``: harmless, and reported so that nothing happens silently.
        code: stable short name for scripts, e.g. ``truncated-image``.
        path: path relative to the checked path, with ``/``; ``.`` for the whole copy.
        line: 1-based line in a text file; None for other places.
        text: the problem.
        fix: the remedy; empty if none is needed.
        fatal: no label can be trusted or nothing is usable, so the copy must not be loaded.
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
    """Collects faults while a copy is read, and counts the images that each kind of fault leaves out."""

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
        """Log an error that leaves out ``images`` images."""
        self._add(Fault(severity="error", code=code, path=path, line=line, text=text, fix=fix))
        self.leave_out(code, images)

    def fatal(self, code: str, path: str, text: str, *, line: int | None = None, fix: str = "") -> None:
        """Log an error for which the whole copy must be refused."""
        self._add(Fault(severity="error", code=code, path=path, line=line, text=text, fix=fix, fatal=True))

    def warning(self, code: str, path: str, text: str, *, line: int | None = None, fix: str = "") -> None:
        """Log a problem of something that is used nevertheless."""
        self._add(Fault(severity="warning", code=code, path=path, line=line, text=text, fix=fix))

    def note(self, code: str, path: str, text: str, *, line: int | None = None, fix: str = "") -> None:
        """Log something harmless."""
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
    """The content and the faults of a copy of a data set.

    Attributes:
        path: the path as the user gave it.
        form: ``tree``, ``folders`` or ``csv`` for CK+, a description for other data sets; None if not recognised.
        mode: ``peak`` or ``last3`` for the tree, else None.
        crop: method that cut faces out: ``opencv <version>``, ``centre``, or ``none`` (already 48x48); None without
            images.
        counts: usable images per class, in the order of ``CLASSES``.
        published: published counts of a complete copy of this form; empty if the form is unknown.
        subjects, sequences: number of those of the usable images; None if the form does not tell.
        published_subjects, published_sequences: published numbers; None if the form does not tell.
        duplicates: number of images that repeat the pixels of an earlier image.
        left_out: number of images that are not used, by the code of the fault.
        found: number of images in files or rows: :attr:`images`, ``left_out`` and :attr:`not_needed` together.
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
        """The number of usable images."""
        return sum(self.counts.values())

    @property
    def not_needed(self) -> int:
        """Images of the official tree that are not used: earlier frames, and sequences without a label."""
        return self.found - self.images - sum(self.left_out.values())

    @property
    def fatal(self) -> Fault | None:
        """The first fault for which the copy is refused; None if it can be loaded."""
        return next((fault for fault in self.faults if fault.fatal), None)

    def refusal(self) -> DataError:
        """The error for a copy with a :attr:`fatal` fault."""
        assert self.fatal is not None
        fault, path = self.fatal, printable(self.path)
        return DataError(
            f"{path if fault.place == '.' else f'{path}: {fault.place}'}: {fault.text}", fix=fault.fix or None
        )

    @property
    def errors(self) -> int:
        """The number of errors."""
        return self.count("error")

    def count(self, severity: Severity) -> int:
        """The number of faults of one severity."""
        return sum(fault.severity == severity for fault in self.faults)


def not_recognised(path: str, error: DataError) -> DataFindings:
    """The findings about a path that can't be read as a data set: ``error`` is their only fault."""
    fault = Fault(
        severity="error", code="no-form", path=".", line=None, text=printable(error.message), fix=error.fix or "",
        fatal=True,
    )  # fmt: skip
    return DataFindings(path=path, form=None, faults=(fault,))


def in_order(faults: list[Fault]) -> tuple[Fault, ...]:
    """Sort faults: fatal ones, errors, warnings, notes; then by code and place, independent of the file system."""
    return tuple(
        sorted(
            faults,
            key=lambda f: (not f.fatal, SEVERITIES.index(f.severity), f.code, f.path, f.line or 0, f.text),
        )
    )


def to_json(findings: DataFindings) -> dict[str, object]:
    """All findings as plain values for ``json.dumps``."""
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
    """The findings as plain text for a terminal, without colours and without a final newline."""
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
    lines += fault_lines(findings)
    lines += ["", verdict(findings)]
    return "\n".join(lines)


_FORMS = {
    "tree": "official tree (Emotion/ and cohn-kanade-images/)",
    "folders": "class folders (the 981-image form)",
    "csv": "ckextended.csv",
    None: "not recognised",
}


def _table(findings: DataFindings) -> list[str]:
    rows: list[tuple[str, int | None, int | None]] = [
        (name, findings.counts.get(name, 0), published) for name, published in findings.published.items()
    ]
    rows.append(("images", findings.images, sum(findings.published.values())))
    rows.append(("subjects", findings.subjects, findings.published_subjects))
    rows.append(("sequences", findings.sequences, findings.published_sequences))
    lines = [f"{'':10} {'found':>9} {'published':>9}"]
    for name, present, published in rows:
        mark = "" if present == published else "  differs"
        lines.append(f"{name:10} {_number(present):>9} {_number(published):>9}{mark}")
    lines.append(f"{'duplicates':10} {findings.duplicates:>9}")
    return lines


def _number(value: int | None) -> str:
    return "not told" if value is None else str(value)


def fault_lines(findings: DataFindings) -> list[str]:
    """Lines with the faults grouped by kind, so that 266 empty label folders don't hide one truncated image."""
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


def verdict(findings: DataFindings) -> str:
    """One line: whether the copy can be used, and the number of faults."""
    counts = ", ".join(f"{findings.count(severity)} {severity}s" for severity in SEVERITIES)
    if findings.fatal or not findings.images:
        return f"This copy can't be used: {counts}."
    return f"{findings.images} images can be used: {counts}."
