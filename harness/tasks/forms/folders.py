"""``form: folders``: images in one folder for each class, perhaps below ``train``, ``val`` and ``test``."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Annotated, cast

from pydantic import BeforeValidator

from harness.core.scalars import text
from harness.core.yamlkeys import optional
from harness.data.findings import FaultLog
from harness.data.walk import RegularFile, walk
from harness.tasks import keys as converters
from harness.tasks.decode import ENDINGS, OTHER_ENDINGS
from harness.tasks.forms.places import located
from harness.tasks.forms.registry import FormKeys
from harness.tasks.sample import Sample, part_of

#: ImageNet has 1.3 million files; more means that the wrong folder was named.
MAX_ENTRIES = 2_000_000


class Keys(FormKeys):
    """``path`` of the folder, and a regular expression that finds in a file's name what alike images share."""

    path: Annotated[str, BeforeValidator(text)]
    group: Annotated[re.Pattern[str] | None, optional(converters.pattern)] = None


def read(keys: FormKeys, folder: Path, faults: FaultLog) -> list[Sample]:
    """All image files, by class. The outermost folder names the class, or the part where all of these name parts."""
    wanted = cast("Keys", keys)
    root = located(folder, wanted.path, kind="folder")
    walked = walk(root, faults, is_image=_is_image, most=MAX_ENTRIES, data="the task")
    files = _images(walked.files, faults)
    depth = 1 if _in_parts(files, faults) else 0
    samples, outside = [], []
    for file in files:
        if len(file.parents) <= depth:
            outside.append(file)
            continue
        part = part_of(file.parents[0]) if depth else None
        group = _group(file, wanted.group, faults)
        samples.append(Sample(file.rel, file.parents[depth], file.path, group=group, part=part))
    for file in outside:
        faults.error("no-class", file.rel, "lies in no class's folder; left out", fix="move it into one", images=1)
    for rel in walked.empty:
        names = rel.split("/")
        if len(names) == depth + 1 and rel != ".":
            faults.warning("empty-class", rel, "no images in it, so it is no class", fix="add images or remove it")
    _report_odd_names(samples, faults)
    return samples


def _is_image(name: str) -> bool:
    return name.lower().endswith((*ENDINGS, *OTHER_ENDINGS))


def _images(files: list[RegularFile], faults: FaultLog) -> list[RegularFile]:
    """The files whose names are those of images that can be read. Others are reported by kind."""
    images, strays = [], Counter[str]()
    for file in files:
        lower = file.name.lower()
        if lower.endswith(ENDINGS):
            images.append(file)
        elif lower.endswith(OTHER_ENDINGS):
            faults.error("other-image", file.rel, "a kind of image that is not read", fix="convert it to PNG", images=1)
        else:
            strays[Path(lower).suffix or "(no ending)"] += 1
    for ending, count in sorted(strays.items()):
        faults.note("no-image", ".", f"{count} files {ending}: no images; ignored")
    return images


def _in_parts(files: list[RegularFile], faults: FaultLog) -> bool:
    """Whether the outermost folders are the parts of a split, with the classes below them."""
    tops = {file.parents[0] for file in files if file.parents}
    parts = {part_of(top) for top in tops}
    if "train" not in parts or len(parts - {None}) < 2:
        return False
    if None in parts:
        if any(len(file.parents) > 1 for file in files if part_of(file.parents[0] if file.parents else "")):
            others = ", ".join(sorted(top for top in tops if part_of(top) is None)[:5])
            faults.fatal(
                "mixed-folders", ".", f"beside folders such as train there are {others}", fix="move them away, or below"
            )
        return False
    return all(len(file.parents) > 1 for file in files if file.parents)


def _group(file: RegularFile, pattern: re.Pattern[str] | None, faults: FaultLog) -> str | None:
    if pattern is None:
        return None
    match = pattern.search(file.name)
    if match is None or not match[1]:
        faults.fatal("no-group", file.rel, f"'group: {pattern.pattern}' finds nothing in its name", fix="change either")
        return None
    return match[1]


def _report_odd_names(samples: list[Sample], faults: FaultLog) -> None:
    """Warn of classes whose names differ in capitals alone: they are two classes."""
    spelt: dict[str, str] = {}
    for name in dict.fromkeys(sample.label for sample in samples):
        earlier = spelt.setdefault(name.lower(), name)
        if earlier != name:
            faults.warning("odd-case", name, f"and '{earlier}' are two classes", fix="rename one if they are the same")
