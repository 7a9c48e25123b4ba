"""The API documentation: one HTML page made of the OpenAPI document, without external resources."""

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from gateway.core.localization import Language
from providers.contract.localized_text import LocalizedText

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --link: #4b4bd6; --page: #fff; --text: #1b1b22 }
@media (prefers-color-scheme: dark) { :root { --link: #a9a9ff; --page: #14141a; --text: #e8e8ee } }
* { box-sizing: border-box }
body { background: var(--page); color: var(--text); margin: 0 auto;
  font: 16px/1.5 system-ui, "PingFang SC", "Noto Sans SC", "Microsoft YaHei", sans-serif;
  max-width: 80rem; padding: 1rem; display: grid; grid-template-columns: 16rem minmax(0, 1fr); gap: 2rem }
a { color: var(--link) } h1 { margin: 0 } h2 { margin: 3rem 0 0 } h3 { overflow-wrap: anywhere; margin: 0 }
nav { font-size: 14px; position: sticky; top: 0; max-height: 100vh; overflow: auto; padding: 1rem 0 }
nav ul { list-style: none; margin: 0 0 1rem; padding: 0 } nav a { overflow-wrap: anywhere; text-decoration: none }
section { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: 1rem }
code, pre { font: 14px/1.45 ui-monospace, monospace } code { overflow-wrap: anywhere }
pre { background: var(--soft); padding: .8rem; overflow: auto; border-radius: 8px }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
td { overflow-wrap: anywhere } td:first-child { white-space: nowrap }
td, th { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0 }
tr { border-bottom: 1px solid var(--line) } .method { text-transform: uppercase; font-weight: 600 }
@media (max-width: 60rem) {
  body { display: block } nav { position: static; max-height: none }
  table, tbody, tr, td { display: block } th { display: none } tr { padding: .4rem 0 } td { padding: 0 }
}
"""

_WORDS = {
    "schemas": LocalizedText("数据结构", "Schemas"),
    "bearer": LocalizedText("需要请求头 `Authorization: Bearer …`", "Needs `Authorization: Bearer …`"),
    "body": LocalizedText("请求体：", "Body: "),
    "optional": LocalizedText("（可省略）", " (optional)"),
    "required": LocalizedText("必填", "required"),
    "parameter": LocalizedText("参数", "parameter"),
    "in": LocalizedText("位置", "in"),
    "meaning": LocalizedText("说明", "meaning"),
    "field": LocalizedText("字段", "field"),
    "type": LocalizedText("类型", "type"),
    "status": LocalizedText("状态码", "status"),
    "response": LocalizedText("响应体", "body"),
    "example": LocalizedText("请求示例", "Example request"),
    "answer": LocalizedText("响应示例", "Example response"),
    "list": LocalizedText("{} 的列表", "list of {}"),
    "language": LocalizedText(
        '<a href="?lang=en" hreflang=en lang=en>English</a>', '<a href="?lang=zh" hreflang=zh lang=zh>中文</a>'
    ),
    "hooks": LocalizedText("Webhook", "Webhooks"),
}
_NAME = re.compile(r"[^a-z0-9]+")


def docs_page(document: Mapping[str, Any], language: Language = "en", root: str = "") -> str:
    """The page, as HTML. `document` has its texts in `language`; `root` is the address of the gateway for the
    examples."""
    return _Page(document, language, root).html()


class _Page:
    def __init__(self, document: Mapping[str, Any], language: Language, root: str) -> None:
        self._document = document
        self._language = language
        self._root = root
        self._schemas: Mapping[str, Any] = document["components"]["schemas"]

    def html(self) -> str:
        info = self._document["info"]
        title = escape(f"{info['title']} {info['version']}")
        groups = list(self._groups())
        index = "".join(
            f"<b>{escape(name)}</b><ul>"
            + "".join(
                f'<li><a href="#{escape(operation["operationId"])}">{_summary(operation)}</a>'
                for _, _, operation in operations
            )
            + "</ul>"
            for name, _, operations in groups
        )
        main = "".join(
            f"<h2 id={_NAME.sub('-', name.lower())}>{escape(name)}</h2><p>{_prose(description)}"
            + "".join(self._operation(*operation) for operation in operations)
            for name, description, operations in groups
        )
        schemas = "".join(self._schema(name, schema) for name, schema in self._schemas.items())
        return (
            f"<!doctype html><html lang={self._language}><meta charset=utf-8><title>{title}</title>"
            '<meta name=viewport content="width=device-width, initial-scale=1">'
            f"<style>{_STYLE}</style><nav>{index}"
            f'<a href="#schemas">{self._word("schemas")}</a></nav><main><h1>{title}</h1>'
            f'<p>{_prose(info["description"])}<p><a href="openapi.json">openapi.json</a> · {self._word("language")}'
            f"{main}<h2 id=schemas>{self._word('schemas')}</h2>{schemas}</main></html>"
        )

    def _groups(self) -> Iterator[tuple[str, str, list[tuple[str, str, Mapping[str, Any]]]]]:
        """Name, description and operations of each tag, and of the webhooks: method, path and operation."""
        every = [
            (method, path, operation)
            for path, operations in self._document["paths"].items()
            for method, operation in operations.items()
        ]
        for tag in self._document.get("tags", ()):
            tagged = [row for row in every if row[2]["tags"][0] == tag["name"]]
            yield tag["x-displayName"], tag["description"], tagged
        hooks = [
            (method, name, operation)
            for name, operations in self._document.get("webhooks", {}).items()
            for method, operation in operations.items()
        ]
        if hooks:
            yield self._word("hooks"), "", hooks

    def _operation(self, method: str, path: str, operation: Mapping[str, Any]) -> str:
        parts = [
            f"<section id={escape(operation['operationId'])}><h3><span class=method>{method}</span> "
            f"<code>{escape(path)}</code></h3><p>{_prose(operation['summary'])}"
        ]
        if "description" in operation:
            parts.append(f"<p>{_prose(operation['description'])}")
        if "security" in operation:
            parts.append(f"<p>{_prose(self._word('bearer'))}")
        rows = [
            (_code(parameter["name"]), escape(parameter["in"]), self._meaning(parameter))
            for parameter in operation.get("parameters", ())
        ]
        if rows:
            parts.append(self._table(("parameter", "in", "meaning"), rows))
        if "requestBody" in operation:
            parts.append(self._body(operation["requestBody"]))
        is_call = path.startswith("/")
        if is_call:
            parts.append(
                f"<p>{self._word('example')}<pre tabindex=0>{escape(self._command(method, path, operation))}</pre>"
            )
        answers = [
            (_code(status), self._answer(answer), _prose(answer["description"]))
            for status, answer in operation["responses"].items()
        ]
        parts.append(self._table(("status", "response", "meaning"), answers))
        example = _example(next(iter(operation["responses"].values())))
        if example is not None:
            parts.append(f"<p>{self._word('answer')}<pre tabindex=0>{escape(_shown(example))}</pre>")
        return "".join(parts) + "</section>"

    def _body(self, body: Mapping[str, Any]) -> str:
        content = body["content"]
        name = _name(next(iter(content.values()))["schema"])
        needed = "" if body["required"] else self._word("optional")
        kinds = ", ".join(escape(kind) for kind in content)
        fields = self._table(("field", "type", "meaning"), self._fields(self._schemas[name]))
        note = f"<p>{_prose(body['description'])}" if "description" in body else ""
        return f"<p>{self._word('body')}{_link(name)} ({kinds}){needed}{note}{fields}"

    def _command(self, method: str, path: str, operation: Mapping[str, Any]) -> str:
        """A curl command of the operation."""
        parts = [f"curl {self._root}{path}" if method == "get" else f"curl -X {method.upper()} {self._root}{path}"]
        if "security" in operation:
            parts.append("-H 'Authorization: Bearer <credential>'")
        if "requestBody" in operation:
            body = json.dumps(_example(operation["requestBody"]), ensure_ascii=False).replace("'", r"'\''")
            parts += ["-H 'Content-Type: application/json'", f"-d '{body}'"]
        return " \\\n  ".join(parts)

    def _schema(self, name: str, schema: Mapping[str, Any]) -> str:
        described = _prose(schema.get("description", ""))
        values = f"<p>{_code(' | '.join(schema['enum']))}" if "enum" in schema else ""
        has_fields = "properties" in schema
        table = self._table(("field", "type", "meaning"), self._fields(schema)) if has_fields else ""
        return f"<section id={escape(name)}><h3>{escape(name)}</h3><p>{described}{values}{table}</section>"

    def _fields(self, schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
        for name, field in schema.get("properties", {}).items():
            meaning = _prose(field.get("description", ""))
            if name in schema.get("required", ()):
                meaning = f"{meaning} <i>{self._word('required')}</i>".strip()
            yield _code(name), self._type(field), meaning

    def _type(self, field: Mapping[str, Any]) -> str:
        """The type of a field, as HTML with links to schemas."""
        if "$ref" in field:
            return _link(_name(field))
        if "enum" in field:
            return escape(" | ".join(str(value) for value in field["enum"]))
        if "const" in field:
            return escape(str(field["const"]))
        choices = [choice for choice in field.get("anyOf", ()) if choice.get("type") != "null"]
        if choices:
            return " | ".join(self._type(choice) for choice in choices)
        if field.get("type") == "array":
            return self._word("list").format(self._type(field.get("items", {})))
        return escape(str(field.get("format") or field.get("type", "any")))

    def _answer(self, answer: Mapping[str, Any]) -> str:
        kinds = []
        for kind, content in answer.get("content", {}).items():
            is_json = kind == "application/json"
            kinds.append(self._type(content["schema"]) if is_json and "schema" in content else escape(kind))
        return " | ".join(kinds)

    def _meaning(self, parameter: Mapping[str, Any]) -> str:
        schema = parameter["schema"]
        values = " | ".join(f"`{value}`" for value in schema.get("enum", ()))
        return _prose(" ".join(filter(None, (parameter.get("description", ""), values))))

    def _table(self, head: tuple[str, ...], rows: Any) -> str:
        """A table; the cells are HTML."""
        cells = "".join(f"<th>{self._word(cell)}" for cell in head)
        body = "".join("<tr>" + "".join(f"<td>{cell}" for cell in row) for row in rows)
        return f"<table><tr>{cells}{body}</table>"

    def _word(self, name: str) -> str:
        word = _WORDS[name]
        return word.zh if self._language == "zh" else word.en


def _example(body: Mapping[str, Any]) -> Any:
    """The example of a request or response body; None without one."""
    for content in body.get("content", {}).values():
        if "example" in content:
            return content["example"]
    return None


def _shown(example: Any) -> str:
    return json.dumps(example, indent=2, ensure_ascii=False)


def _summary(operation: Mapping[str, Any]) -> str:
    """The first words of a summary: what the operation does, without its conditions."""
    return _prose(re.split(r"[;:,；：，]", operation["summary"], maxsplit=1)[0])


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _link(name: str) -> str:
    return f'<a href="#{escape(name)}">{escape(name)}</a>'


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _prose(text: str) -> str:
    """Escaped text, with `code` in backticks as HTML code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
