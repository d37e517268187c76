"""A task's file as it is written: its sections and keys, and errors with file, line and the nearest valid key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, SerializeAsAny, ValidationError

from harness.core import yamlfile
from harness.core.errors import ConfigError
from harness.core.files import read_text
from harness.core.named import nearest
from harness.core.scalars import NotMeantError, shown, text, yes_or_no
from harness.core.yamlfile import MAX_BYTES, Location, line_of
from harness.core.yamlkeys import optional, whole_from
from harness.tasks import keys
from harness.tasks.forms.registry import FORMS, FormKeys

Colour = Literal["grey", "rgb"]
Fit = Literal["stretch", "crop", "pad"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box"]
Layout = Literal["nhwc", "nchw"]
#: How samples are divided; None takes what the data say, else ``group`` where groups are known, else
#: ``stratified`` by class, or ``shuffled`` where labels are numbers.
SplitBy = Literal["folders", "column", "arrays", "stratified", "shuffled", "group"]
_EXAMPLE = "data: {form: folders, path: pictures}"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Preprocess(_Section):
    """How a sample becomes a network's input, in this order: colour, size, then (pixel * scale - mean) / std, layout.

    Attributes:
        colour: ``grey`` or ``rgb``; None: ``rgb`` for image files, and arrays as they are.
        size: height and width; None leaves images as they are, and all must be of one size.
        fit: how an image of another shape gets there: ``stretch``; ``crop`` scales the shorter side and keeps the
            middle; ``pad`` scales the longer side and adds black.
        shorter: for ``crop``, what the shorter side is scaled to; None: just enough.
        interpolation: Pillow's, with antialiasing where an image becomes smaller.
        scale: factor of pixel values 0..255.
        mean, std: subtracted and divided by, for all channels or each, after ``scale``.
        layout: of a network's input with its batch first.
    """

    colour: Annotated[Colour | None, optional(keys.one_word("grey", "rgb"))] = None
    size: Annotated[tuple[int, int] | None, optional(keys.size)] = None
    fit: Annotated[Fit, BeforeValidator(keys.one_word("stretch", "crop", "pad"))] = "stretch"
    shorter: Annotated[int | None, optional(whole_from(keys.MIN_SIDE, keys.MAX_SIDE))] = None
    interpolation: Annotated[
        Interpolation, BeforeValidator(keys.one_word("nearest", "bilinear", "bicubic", "lanczos", "box"))
    ] = "bilinear"
    scale: Annotated[float, BeforeValidator(keys.factor)] = 1.0
    mean: Annotated[tuple[float, ...], BeforeValidator(keys.channels)] = (0.0,)
    std: Annotated[tuple[float, ...], BeforeValidator(keys.spreads)] = (1.0,)
    layout: Annotated[Layout, BeforeValidator(keys.one_word("nhwc", "nchw"))] = "nhwc"


class SplitRule(_Section):
    """How samples are divided. ``test`` and ``validation`` are shares, the latter of what the test part leaves."""

    by: Annotated[
        SplitBy | None, optional(keys.one_word("folders", "column", "arrays", "stratified", "shuffled", "group"))
    ] = None
    seed: Annotated[int, BeforeValidator(whole_from(0, (1 << 32) - 1))] = 0
    test: Annotated[float, BeforeValidator(keys.share)] = 0.1
    validation: Annotated[float, BeforeValidator(keys.share)] = 0.1


class MetricChoice(_Section):
    """What judges the outputs: a registered metric, or ``module:function``.

    ``labels`` and ``higher_is_better`` are for a function of the user's own; a registered metric knows them.
    """

    name: Annotated[str, BeforeValidator(keys.metric_name)] = "top1"
    labels: Annotated[Literal["classes", "numbers"] | None, optional(keys.one_word("classes", "numbers"))] = None
    higher_is_better: Annotated[bool | None, optional(yes_or_no)] = None


class Augment(_Section):
    """How training varies images. Without ``mirror``, left and right stay what they are."""

    mirror: Annotated[bool, BeforeValidator(yes_or_no)] = False


class Document(_Section):
    """A whole task file. ``data`` are the keys of its form."""

    name: Annotated[str, BeforeValidator(keys.task_name)]
    title: Annotated[str, BeforeValidator(text)] = ""
    form: str
    data: SerializeAsAny[FormKeys]
    classes: Annotated[tuple[str, ...] | None, optional(keys.class_names)] = None
    preprocess: Preprocess = Preprocess()
    split: SplitRule = SplitRule()
    metric: MetricChoice = MetricChoice()
    augment: Augment = Augment()


_SECTIONS: dict[str, type[BaseModel]] = {
    "preprocess": Preprocess, "split": SplitRule, "metric": MetricChoice, "augment": Augment
}  # fmt: skip
_TOP = ("name", "title", "data", "classes", *_SECTIONS)


def read(path: Path) -> Document:
    """Read and check a task's file. Without a ``name`` the task is called as the file.

    Raises:
        ConfigError: the file can't be read or a value in it is wrong; names the line.
    """
    return parse(read_text(path, MAX_BYTES), file=str(path))


def parse(content: str, *, file: str) -> Document:
    """Check the text of a task's file; see :func:`read`."""
    value, lines = yamlfile.load(content, file, "task")
    found = _Found(file, lines)
    top = found.mapping(value, ())
    for key in top:
        if key not in _TOP:
            raise found.error(f"unknown key '{shown(key)}'{nearest(key, _TOP)}", (key,))
    if "data" not in top:
        raise found.error("key 'data' is missing", (), fix=_EXAMPLE)
    form, data = _data(found, top)
    sections: dict[str, Any] = {
        key: found.checked(model, _section(found, top, key), (key,)) for key, model in _SECTIONS.items() if top.get(key)
    }
    stem = Path(file).stem.lower().replace("_", "-").replace(" ", "-")
    head: dict[str, Any] = {key: top[key] for key in ("title", "classes") if key in top}
    whole: dict[str, Any] = {"name": top.get("name", stem), **head, "form": form, "data": data, **sections}
    document = found.checked(Document, whole, ())
    assert isinstance(document, Document)
    _consistent(found, document)
    return document


def _data(found: _Found, top: Mapping[str, Any]) -> tuple[str, BaseModel]:
    data = dict(found.mapping(top["data"], ("data",)))
    if "form" not in data:
        raise found.error(f"key 'form' is missing in data; one of: {', '.join(FORMS)}", ("data",), fix=_EXAMPLE)
    form = shown(data.pop("form"))
    if form not in FORMS:
        raise found.error(f"'{form}' is no form of data{nearest(form, FORMS)}", ("data", "form"))
    return form, found.checked(FORMS[form].keys, data, ("data",))


def _section(found: _Found, top: Mapping[str, Any], key: str) -> dict[str, Any]:
    if key == "metric" and isinstance(top[key], str):
        return {"name": top[key]}
    return found.mapping(top[key], (key,))


def _consistent(found: _Found, task: Document) -> None:
    """Refuse keys that contradict each other."""
    from harness.tasks.metrics.registry import METRICS

    form = task.preprocess
    if form.shorter is not None and (form.size is None or form.fit != "crop"):
        raise found.error("'shorter' is for 'fit: crop' with a 'size'", ("preprocess", "shorter"))
    if form.shorter is not None and form.size is not None and form.shorter < max(form.size):
        raise found.error(f"'shorter: {form.shorter}' is less than the size", ("preprocess", "shorter"))
    if form.colour == "grey" and 3 in (len(form.mean), len(form.std)):
        raise found.error("grey images have one channel, and 'mean' or 'std' has three", ("preprocess", "colour"))
    metric = task.metric
    if ":" not in metric.name:
        if metric.name not in METRICS:
            told = f"'{metric.name}' is no metric{nearest(metric.name, METRICS)}"
            raise found.error(told, ("metric", "name"), fix="module:function for one of your own")
        for key in ("labels", "higher_is_better"):
            if getattr(metric, key) is not None:
                raise found.error(f"'{key}' is for 'module:function'; {metric.name} knows it", ("metric", key))
        if METRICS[metric.name].labels == "numbers" and task.classes:
            raise found.error(f"{metric.name} judges numbers, and 'classes' are given", ("classes",))


class _Found:
    """A file's lines, and errors that name them."""

    def __init__(self, file: str, lines: Mapping[Location, int]) -> None:
        self._file, self._lines = file, lines

    def error(self, message: str, at: Location, fix: str | None = None) -> ConfigError:
        """An error at a place of the file."""
        return ConfigError(message, file=self._file, line=line_of(self._lines, at), fix=fix)

    def mapping(self, value: object, at: Location) -> dict[str, Any]:
        """The keys below a place."""
        if isinstance(value, dict):
            return value
        where = f"'{at[-1]}:'" if at else "the file"
        raise self.error(f"{where} needs keys of its own", at, fix=_EXAMPLE if at in ((), ("data",)) else None)

    def checked(self, model: type[BaseModel], value: Mapping[str, Any], at: Location) -> Any:
        """The model of these keys.

        Raises:
            ConfigError: the first thing that is wrong.
        """
        try:
            return model.model_validate(value)
        except ValidationError as error:
            raise self._explained(error, model, at) from error

    def _explained(self, error: ValidationError, model: type[BaseModel], at: Location) -> ConfigError:
        problems = error.errors()
        first = next((e for e in problems if e["type"] == "extra_forbidden"), problems[0])
        key = next((str(part) for part in first["loc"]), "")
        place, where = (*at, key), f" in {at[-1]}" if at else ""
        if first["type"] == "extra_forbidden":
            return self.error(f"unknown key '{shown(key)}'{where}{nearest(key, model.model_fields)}", place)
        if first["type"] == "missing":
            return self.error(f"key '{key}' is missing{where}", at)
        cause = first.get("ctx", {}).get("error")
        problem, fix = (cause.text, cause.fix) if isinstance(cause, NotMeantError) else ("can't be that", None)
        given = "" if first["input"] is None else f": {_flat(first['input'])}"
        return self.error(f"'{key}{given}'{where}: {problem}", place, fix=fix)


def _flat(given: object) -> str:
    """A value as it may have been written, on one line."""
    return shown(f"[{', '.join(map(_flat, given))}]") if isinstance(given, (list, tuple)) else shown(given)
