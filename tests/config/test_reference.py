"""What is generated from the models is current and complete."""

import json
import subprocess
import sys
from pathlib import Path

import meshcore
from meshcore.config.reference import PAGE, json_schema, page

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    assert (ROOT / PAGE).read_text() == page(), "run: make docs"


def test_the_schema_takes_the_short_forms() -> None:
    definitions = json_schema()["$defs"]
    assert isinstance(definitions, dict)
    text = json.dumps(definitions["Route"]) + json.dumps(definitions["Match"])
    assert '"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Target"}' in text
    assert '"anyOf": [{"type": "string"}, {"$ref": "#/$defs/StringMatch"}]' in text


def test_the_schema_documents_every_key() -> None:
    definitions = json_schema()["$defs"]
    assert isinstance(definitions, dict)
    for name, part in definitions.items():
        assert isinstance(part, dict)
        assert part["additionalProperties"] is False, name
        properties = part["properties"]
        assert isinstance(properties, dict)
        for key, field in properties.items():
            assert isinstance(field, dict)
            # What has the same words as the part that it refers to leaves them to that part.
            assert "description" in field or "$ref" in field, f"{name}.{key}"


def test_every_public_name_exists() -> None:
    assert [name for name in meshcore.__all__ if not hasattr(meshcore, name)] == []
    assert dir(meshcore) == sorted(meshcore.__all__)


def test_importing_the_package_imports_little() -> None:
    heavy = "{'pydantic', 'yaml', 'cyclopts', 'rich', 'trio', 'meshcore._engine'}"
    program = f"import sys, meshcore; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"set()\n"
