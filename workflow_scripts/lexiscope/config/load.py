"""From study files to a validated study, or to one message with every mistake in them."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from lexiscope.config.base import suggest
from lexiscope.config.positions import KeyPath, Position, deep_merge, read_yaml
from lexiscope.config.references import dangling_references
from lexiscope.config.study import Study
from lexiscope.errors import LexiscopeError


class Mistake(NamedTuple):
    """One thing wrong with a study file."""

    path: KeyPath
    reason: str
    suggestion: str | None = None


def load_study(files: Sequence[str | Path], overrides: Mapping[str, Any] | None = None) -> Study:
    """Read study files and validate what they say together.

    A file that names a ``study`` is a study of its own: nothing of the files before it is kept. A file
    that does not is laid over them, key by key. ``overrides`` come last, key by key.

    Raises
    ------
    LexiscopeError
        One message that lists every mistake with its file, line, key, reason and a suggestion.
    """
    content: dict[str, Any] = {}
    positions: dict[KeyPath, Position] = {}
    for file in files:
        document = read_yaml(file)
        if "study" in document.content:
            content, positions = {}, {}
        content = deep_merge(content, document.content)
        positions.update(document.positions)
    for path in _leaves(overrides or {}):
        positions[path] = Position("command line", 0)
    content = deep_merge(content, overrides or {})
    return validate(content, positions)


def validate(content: Mapping[str, Any], positions: Mapping[KeyPath, Position] | None = None) -> Study:
    """Validate the content of a study; see `load_study`."""
    positions = positions or {}
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        raise _report([_explain(entry) for entry in error.errors()], positions) from None
    mistakes = [Mistake(*found) for found in dangling_references(study)]
    if mistakes:
        raise _report(mistakes, positions)
    return study


def _leaves(content: Mapping[str, Any], path: KeyPath = ()) -> Iterable[KeyPath]:
    for key, value in content.items():
        yield (*path, key)
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, key))


def _report(mistakes: Sequence[Mistake], positions: Mapping[KeyPath, Position]) -> LexiscopeError:
    lines = []
    for path, reason, suggestion in mistakes:
        place = _nearest(path, positions)
        where = "" if place is None else f"{place.file}:{place.line}: " if place.line else f"{place.file}: "
        key = ".".join(map(str, path)) or "study file"
        lines.append(f"{where}{key}: {reason}" + (f"; {suggestion}" if suggestion else ""))
    if len(lines) == 1:
        return LexiscopeError(lines[0])
    listing = "".join(f"\n  {line}" for line in lines)
    return LexiscopeError(f"{len(lines)} mistakes in the study{listing}")


def _nearest(path: KeyPath, positions: Mapping[KeyPath, Position]) -> Position | None:
    while path:
        if path in positions:
            return positions[path]
        path = path[:-1]
    return None


def _explain(entry: Any) -> Mistake:
    path, model = _locate(entry["loc"])
    kind, context = entry["type"], entry.get("ctx", {})
    if kind == "extra_forbidden":
        known = () if model is None else model.model_fields
        return Mistake(path, "unknown key", suggest(str(path[-1]), known))
    if kind == "union_tag_not_found":
        return Mistake(
            (*path, "kind"),
            "missing",
            f"one of {context['expected_tags']}"
            if "expected_tags" in context
            else "every entry says of which kind it is",
        )
    if kind == "union_tag_invalid":
        expected = [tag.strip("' ") for tag in context["expected_tags"].split(",")]
        return Mistake(
            (*path, "kind"), f"unknown kind {context['tag']!r}", suggest(context["tag"], expected)
        )
    if kind == "missing":
        return Mistake(path, "missing", "this key must be given")
    given = entry["input"]
    message = str(context["error"]) if kind == "value_error" else entry["msg"]
    reason = message[0].lower() + message[1:]
    if isinstance(given, str | int | float | bool) or given is None:
        reason += f", not {given!r}"
    if kind in ("literal_error", "enum"):
        expected = [option.strip("'\" ") for option in context["expected"].replace(" or ", ",").split(",")]
        return Mistake(path, f"{given!r} is not a choice here", suggest(str(given), expected))
    return Mistake(path, reason)


def _locate(location: Sequence[str | int]) -> tuple[KeyPath, type[BaseModel] | None]:
    """The user's key path of a pydantic location, and the model that holds its last key.

    Pydantic puts into a location what the user never wrote: the tag of a union's member, ``[key]`` for a
    mapping's key. Walking down the models tells those steps from real keys.
    """
    path: list[str | int] = []
    annotation: Any = Study
    holder: type[BaseModel] | None = None
    for number, step in enumerate(location):
        annotation = _unwrap(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            holder = annotation
            path.append(step)
            field = annotation.model_fields.get(str(step))
            annotation = None if field is None else field.annotation
        elif get_origin(annotation) in (dict, Mapping):
            if step != "[key]":
                path.append(step)
                annotation = get_args(annotation)[1]
        elif get_origin(annotation) in (list, tuple):
            path.append(step)
            annotation = get_args(annotation)[0]
        elif (members := _members(annotation)) is not None:
            chosen = [member for member in members if _is_called(member, step)]
            if chosen:
                annotation = chosen[0]
            elif number + 1 < len(location):
                path.append(step)
        elif isinstance(step, int):
            path.append(step)
    return tuple(path), holder


def _unwrap(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    members = _members(annotation)
    if members is not None:
        real = [member for member in members if member is not type(None)]
        if len(real) == 1:
            return _unwrap(real[0])
    return annotation


def _members(annotation: Any) -> tuple[Any, ...] | None:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else None


def _is_called(member: Any, step: str | int) -> bool:
    member = _unwrap(member)
    if not isinstance(member, type):
        return False
    if member.__name__ == step:
        return True
    kind = getattr(member, "model_fields", {}).get("kind")
    return kind is not None and step in get_args(kind.annotation)
