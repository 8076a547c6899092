"""pydantic's errors in the words of the document."""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING

from meshcore.config.check import did_you_mean
from meshcore.config.model import Config, Part
from meshcore.config.origin import Trouble

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from meshcore.config.origin import Loc

# Steps that pydantic adds for its own reasons: what failed is then a key of a mapping.
_KEY_STEP = "[key]"
_KINDS = {
    "string_type": "a string",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def explain(error: ValidationError, root: type[Part] = Config) -> list[Trouble]:
    """Each error of a value of `root` once, with a hint where there is one."""
    details = error.errors(include_url=False)
    return [_trouble(detail, root) for detail in details if not _is_echo(detail, details)]


def _is_echo(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """Whether a list only lacks what is wrong by itself, and left out for that."""
    loc = detail["loc"]
    return detail["type"] == "too_short" and any(
        other["loc"][: len(loc)] == loc for other in details if other is not detail
    )


def _trouble(detail: ErrorDetails, root: type[Part]) -> Trouble:
    kind, context = detail["type"], detail.get("ctx", {})
    at_key = detail["loc"][-1:] == (_KEY_STEP,)
    loc = tuple(step for step in detail["loc"] if step != _KEY_STEP)
    if kind == "extra_forbidden":
        word = str(loc[-1])
        known = _known_keys(loc[:-1], root)
        hint = did_you_mean(word, known) or f"known here: {', '.join(known)}"
        return Trouble(loc, "unknown_key", f"unknown key {word!r}", hint, at_key=True)
    if kind == "missing":
        message = f"the key {loc[-1]!r} is missing"
        return Trouble(loc[:-1], "missing_key", message, f"write {loc[-1]}: …")
    if kind == "literal_error":
        return _not_one_of(loc, detail["input"], str(context.get("expected", "")))
    if kind in _KINDS:
        message = f"must be {_KINDS[kind]}, not {_described(detail['input'])}"
        return Trouble(loc, "invalid_type", message, _type_hint(kind, detail["input"]), at_key)
    if kind == "too_short":
        return Trouble(loc, "invalid_value", "must not be empty", "", at_key)
    if "message" in context:
        hint = str(context.get("hint", ""))
        return Trouble(loc, kind, str(context["message"]), hint, at_key)
    message = detail["msg"][:1].lower() + detail["msg"][1:]
    return Trouble(loc, "invalid_value", message.replace("input should", "must"), "", at_key)


def _not_one_of(loc: Loc, found: object, expected: str) -> Trouble:
    known = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    shown = repr(found) if isinstance(found, str) else _described(found)
    listed = ", ".join(known)
    if isinstance(found, (float, int)) and str(found) in known:
        hint = f'put it in quotes: "{found}"'
    elif isinstance(found, bool) and (word := "on" if found else "off") in known:
        hint = f"write {word}"
    else:
        # Versions that look alike are no slips of the pen.
        hint = (
            ""
            if str(found)[:1].isdigit() and len(str(found)) > 1
            else did_you_mean(str(found), known)
        )
    message = (
        f"must be {listed}, not {shown}"
        if len(known) == 1
        else f"must be one of {listed}, not {shown}"
    )
    return Trouble(loc, "invalid_choice", message, hint)


def _described(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return repr(value)
    return "a mapping" if isinstance(value, dict) else "a list"


def _type_hint(kind: str, value: object) -> str:
    if kind == "string_type" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return f'put it in quotes: "{value}"'
    if kind == "string_type" and isinstance(value, bool):
        return f'put it in quotes: "{str(value).lower()}"'
    if kind == "bool_type" and value in {"yes", "on", "no", "off", "True", "False"}:
        return "write true" if value in {"yes", "on", "True"} else "write false"
    if kind in {"tuple_type", "list_type"} and value is not None:
        return "put it in brackets: […]"
    return ""


def _known_keys(loc: Loc, root: type[Part]) -> list[str]:
    """The keys of the part of the document at `loc`."""
    model: object = root
    for step in loc:
        model = _step_into(model, step)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, Part) else []


def _step_into(model: object, step: str | int) -> object:
    if isinstance(step, str) and isinstance(model, type) and issubclass(model, Part):
        field = model.model_fields.get(step)
        return _bare(field.annotation) if field is not None else None
    arguments = typing.get_args(model)
    return _bare(arguments[-1] if typing.get_origin(model) is dict else arguments[0])


def _bare(annotation: object) -> object:
    """Without `Annotated` and `| None`."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated or origin in (typing.Union, types.UnionType):
            annotation = typing.get_args(annotation)[0]
        else:
            return annotation
