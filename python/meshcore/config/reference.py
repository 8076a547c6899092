"""The native document described from its models: JSON schema, and docs/configuration.md.

`python -m meshcore.config.reference` writes the page; a test holds it against the models.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import typing
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pydantic.json_schema import GenerateJsonSchema

from meshcore.config.model import Config, Part
from meshcore.config.model.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

PAGE = Path("docs/configuration.md")

_HEAD = """\
# Configuration

Every key of the native document. This page is generated from the models (`make docs`); an editor
gets the same from `meshcore config schema`.

- A document is YAML 1.2 or JSON; a directory of documents is taken together. Unknown and duplicate
  keys are errors.
- Durations are written `500ms`, `5s`, `1m30s`, `1h`; sizes `64KiB`, `10MB` or a number of bytes.
- File names are relative to the document.
- A short form is noted where there is one: `to: api` for `to: [{cluster: api}]`, `host: a` for
  `host: [a]`, a plain address for `{address: …}`, a plain string for `{exact: …}`.
"""
_KINDS = {
    str: "string",
    int: "number",
    float: "number",
    bool: "true or false",
    timedelta: "duration",
    object: "anything",
}


def json_schema() -> dict[str, Json]:
    """The JSON schema of the native document (draft 2020-12)."""
    schema: dict[str, Json] = Config.model_json_schema(schema_generator=_Generator)
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    for _, part in _parts():
        described = schema if part is Config else definitions[part.__name__]
        assert isinstance(described, dict)
        keys = described["properties"]
        assert isinstance(keys, dict)
        for key, text in _texts(part).items():
            described = keys[part.model_fields[key].alias or key]
            assert isinstance(described, dict)
            described["description"] = text
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


class _Generator(GenerateJsonSchema):
    """Shows default durations as the document writes them."""

    def encode_default(self, dft: object) -> object:
        """A default in the document's form."""
        if isinstance(dft, timedelta):
            return duration_text(dft)
        encoded: object = super().encode_default(dft)
        return encoded


def page() -> str:
    """docs/configuration.md."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    told: dict[type[Part], str] = {}
    for path, part in _parts():
        yield f"## {f'`{path}`' if path else 'Top level'}\n"
        if (first := told.setdefault(part, path)) != path:
            yield f"The keys of `{first}`.\n"
            continue
        yield f"{_sentence(part.__doc__)}\n"
        yield "| key | value | default | meaning |"
        yield "|---|---|---|---|"
        texts = _texts(part)
        for key, field in part.model_fields.items():
            meaning = _sentence(texts.get(key))
            yield f"| `{field.alias or key}` | {_kind(field)} | {_default(field)} | {meaning} |"
        yield ""


def _parts() -> Iterator[tuple[str, type[Part]]]:
    """Each part where it stands in a document; what is in one only where it stands first."""
    todo: list[tuple[str, type[Part]]] = [("", Config)]
    told: set[type[Part]] = set()
    while todo:
        path, part = todo.pop(0)
        yield path, part
        if part in told:
            continue
        told.add(part)
        fields = [(field.alias or key, field) for key, field in part.model_fields.items()]
        todo[:0] = [
            (_below(path, name, field.annotation), found)
            for name, field in fields
            if (found := _part(field.annotation)) is not None
        ]


def _texts(part: type[Part]) -> dict[str, str]:
    """The text below each key in the source."""
    found: dict[str, str] = {}
    for one in reversed(part.__mro__):
        if not issubclass(one, Part):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        assert isinstance(tree, ast.ClassDef)
        for key, text in pairwise(tree.body):
            match key, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(words))),
                ):
                    found[name] = inspect.cleandoc(words)
    return found


def _below(path: str, name: str, annotation: object) -> str:
    container = _container(annotation)
    suffix = "[]" if container is tuple else ".<name>" if container is dict else ""
    return f"{path}.{name}{suffix}".removeprefix(".")


def _sentence(text: str | None) -> str:
    first = (text or "").strip().partition("\n\n")[0]
    return " ".join(first.split()).replace("|", "\\|")


def _kind(field: FieldInfo) -> str:
    annotation = _bare(field.annotation)
    container = _container(annotation)
    if container is tuple:
        return f"list of {_one(typing.get_args(annotation)[0])}"
    if container is dict:
        return f"mapping to {_one(typing.get_args(annotation)[1])}"
    # `Size` takes more forms than its Python type says.
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "64KiB" in str(extra.get("examples", "")):
        return "size"
    return _one(annotation)


def _one(annotation: object) -> str:
    annotation = _bare(annotation)
    if typing.get_origin(annotation) is typing.Literal:
        return ", ".join(f"`{choice}`" for choice in typing.get_args(annotation))
    if isinstance(annotation, type):
        return "mapping" if issubclass(annotation, Part) else _KINDS[annotation]
    message = f"no words for {annotation}"
    raise TypeError(message)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: object = field.default
    if isinstance(value, timedelta):
        return f"`{duration_text(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value is None or isinstance(value, (Part, tuple)) or not isinstance(value, (str, int)):
        return ""
    if isinstance(value, int) and _kind(field) == "size" and value and value % 1024 == 0:
        kib = value // 1024
        return f"`{kib // 1024}MiB`" if kib % 1024 == 0 else f"`{kib}KiB`"
    return f"`{value}`" if value != "" else ""


def _part(annotation: object) -> type[Part] | None:
    annotation = _bare(annotation)
    if _container(annotation) is not None:
        arguments = typing.get_args(annotation)
        annotation = _bare(arguments[1] if _container(annotation) is dict else arguments[0])
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    return None


def _container(annotation: object) -> type | None:
    origin = typing.get_origin(_bare(annotation))
    return origin if origin in {tuple, dict} else None


def _bare(annotation: object) -> object:
    """Without `Annotated` and `| None`."""
    while typing.get_origin(annotation) not in {None, tuple, dict, typing.Literal}:
        annotation = typing.get_args(annotation)[0]
    return annotation


if __name__ == "__main__":
    PAGE.write_text(page())
