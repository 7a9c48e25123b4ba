"""The API documentation: one HTML page made of the OpenAPI document, without external resources."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from providers import registry

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0 } nav a { margin-right: 1rem } section { border-top: 1px solid var(--line); margin-top: 2rem }
code, pre { font: 14px/1.45 ui-monospace, monospace } pre { background: var(--soft); padding: .8rem; overflow: auto }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top; padding: .3rem .6rem }
tr { border-bottom: 1px solid var(--line) } .method { text-transform: uppercase; font-weight: 600 }
"""


def docs_page(document: Mapping[str, Any]) -> str:
    """The page, as HTML."""
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    sections = "".join(
        _operation(method, path, operation, document)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )
    schemas = "".join(_schema(name, schema) for name, schema in document["components"]["schemas"].items())
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{escape(info['description'])}"
        '<p><nav><a href="/openapi.json">openapi.json</a><a href="#schemas">Schemas</a></nav>'
        f"{sections}<h1 id=schemas>Schemas</h1>{schemas}</html>"
    )


def _operation(method: str, path: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    parts = [
        f"<section id={escape(operation['operationId'])}><h2><span class=method>{method}</span> "
        f"<code>{escape(path)}</code></h2><p>{_prose(operation['summary'])}"
    ]
    if "description" in operation:
        parts.append(f"<p>{_prose(operation['description'])}")
    if "security" in operation:
        parts.append("<p>Needs <code>Authorization: Bearer …</code>")
    rows = [
        (parameter["name"], parameter["in"], parameter.get("description", ""))
        for parameter in operation.get("parameters", ())
    ]
    if rows:
        parts.append(_table(("parameter", "in", "meaning"), rows))
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]
        schema = _resolve(next(iter(content.values()))["schema"], document)
        needed = "" if operation["requestBody"]["required"] else " (optional)"
        parts.append(f"<p>Body: {', '.join(escape(kind) for kind in content)}{needed}")
        parts.append(_table(("field", "type", "meaning"), _fields(schema)))
        parts.append(_example(method, path, schema.get("examples", ())))
    answers = [(status, _name_of(answer), answer["description"]) for status, answer in operation["responses"].items()]
    parts.append(_table(("status", "body", "meaning"), answers))
    return "".join(parts) + "</section>"


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    described = _prose(schema.get("description", ""))
    values = f"<p><code>{escape(_type(schema))}</code>" if "enum" in schema else ""
    table = _table(("field", "type", "meaning"), _fields(schema)) if "properties" in schema else ""
    return f"<section id={escape(name)}><h2>{escape(name)}</h2><p>{described}{values}{table}</section>"


def _example(method: str, path: str, examples: Sequence[Mapping[str, Any]]) -> str:
    body = next(iter(examples), None) or _submit()
    command = (
        f"curl -X {method.upper()} http://127.0.0.1:5100{path} \\\n"
        f"  -H 'Authorization: Bearer <credential>' -H 'Content-Type: application/json' \\\n  -d '{json.dumps(body)}'"
    )
    return f"<pre>{escape(command)}</pre>"


def _submit() -> dict[str, Any]:
    """An example submit, with the default model that is tried first."""
    defaults = (model for spec in registry.PROVIDERS for model in spec.default_models(spec.settings()).text)
    return {"model": next(defaults, ""), "prompt": "a cat on a skateboard", "duration": 5}


def _fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, field in schema.get("properties", {}).items():
        meaning = field.get("description", "")
        if name in schema.get("required", ()):
            meaning = f"{meaning} (required)".strip()
        yield name, _type(field), meaning


def _type(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "enum" in field:
        return " | ".join(str(value) for value in field["enum"])
    if "const" in field:
        return str(field["const"])
    choices = [choice for choice in field.get("anyOf", ()) if choice.get("type") != "null"]
    if choices:
        return " | ".join(_type(choice) for choice in choices)
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    return str(field.get("type", "any"))


def _table(head: tuple[str, ...], rows: Any) -> str:
    cells = "".join(f"<th>{escape(cell)}" for cell in head)
    body = "".join(
        "<tr>" + f"<td><code>{escape(row[0])}</code>" + "".join(f"<td>{_prose(cell)}" for cell in row[1:])
        for row in rows
    )
    return f"<table><tr>{cells}{body}</table>"


def _prose(text: str) -> str:
    """Escaped text, with `code` in backticks as HTML code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _name_of(answer: Mapping[str, Any]) -> str:
    kind, content = next(iter(answer["content"].items()))
    return _type(content["schema"]) if "schema" in content else str(kind)


def _resolve(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(schema["$ref"]).rpartition("/")[2]
    resolved: Mapping[str, Any] = document["components"]["schemas"][name]
    return resolved
