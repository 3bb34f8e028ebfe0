"""The page on failures has every code that the source can give, with a cause and a remedy, and no other."""

import ast
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.problems import code_of, install
from farm.worker.telling import said

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/why-did-my-job-fail.md").read_text()
ROWS = re.findall(r"^\| `([a-z-]+)` \|(.*)\|$", PAGE, re.MULTILINE)
CODE = re.compile(r"[a-z]+(-[a-z]+)*")
OF_THE_FRAMEWORK = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
"""What it refuses by itself; `api.problems` makes codes of them."""
CODE_COMES = {"problem": 1, "Interrupted": 1, "fail": 2, "lose": 2, "hand_back": 2}
"""Functions and classes that take a code, and as which argument."""


def constants(node: ast.expr | None) -> Iterator[str]:
    """The texts that an expression can be."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from constants(body)
            yield from constants(orelse)


def in_node(node: ast.AST) -> Iterator[str]:
    """The codes that a piece of the source gives."""
    match node:
        case ast.ClassDef():
            for statement in node.body:
                match statement:
                    case ast.Assign(targets=[ast.Name(id="code")]) | ast.AnnAssign(target=ast.Name(id="code")):
                        yield from constants(statement.value)
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name.endswith("_LOST"):
            yield from constants(value)
        case ast.FunctionDef(name="code"):
            for line in ast.walk(node):
                if isinstance(line, ast.Return):
                    yield from constants(line.value)
        case ast.FunctionDef(name="said"):
            for line in ast.walk(node):
                if isinstance(line, ast.Return) and isinstance(line.value, ast.Tuple):
                    yield from constants(line.value.elts[0])
        case ast.FunctionDef(args=arguments):
            for argument, default in zip(reversed(arguments.args), reversed(arguments.defaults), strict=False):
                if argument.arg == "code":
                    yield from constants(default)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=given, keywords=named):
            if len(given) > CODE_COMES.get(name, len(given)):
                yield from constants(given[CODE_COMES[name]])
            for keyword in named:
                if keyword.arg == "code":
                    yield from constants(keyword.value)
            if name == "HTTPException" and given:
                match given[0]:
                    case ast.Attribute(value=ast.Name(id="HTTPStatus"), attr=status):
                        yield code_of(HTTPStatus[status])


def codes() -> dict[str, set[str]]:
    """Every code of the source, and the files that give it."""
    found: dict[str, set[str]] = {code_of(status): {"fastapi"} for status in OF_THE_FRAMEWORK}
    for package in ("farm", "api", "blender_worker"):
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                for code in in_node(node):
                    if CODE.fullmatch(code):
                        found.setdefault(code, set()).add(str(file.relative_to(ROOT)))
    return found


def test_every_code_of_the_source_stands_on_the_page_once() -> None:
    found = codes()

    assert {
        "farm-error", "model-unusable", "worker-lost", "worker-disk", "yielded", "lease-unsure", "farm-restarted",
        "stale-attempt", "request-invalid", "too-many-streams", "precondition-required", "unreadable", "interrupted",
        "range-not-satisfiable", "store-has-no-urls",
    } <= found.keys()  # fmt: skip
    listed = [code for code, _ in ROWS]
    assert sorted(listed) == sorted(set(listed))
    assert {code: files for code, files in found.items() if code not in listed} == {}
    assert set(listed) - found.keys() == set()


def test_every_code_has_a_cause_and_a_remedy() -> None:
    for code, rest in ROWS:
        cells = [cell.strip() for cell in rest.split("|")]
        assert len(cells) in (2, 3), code
        assert all(cells), code


@pytest.mark.parametrize(("error", "code"), [(OSError("no"), "worker-disk"), (ValueError("no"), "internal-error")])
def test_what_nobody_foresaw_has_a_code_of_the_page(error: Exception, code: str) -> None:
    assert said(error)[0] == code
    assert code in dict(ROWS)


def test_what_the_framework_refuses_has_a_code_of_the_page() -> None:
    app = FastAPI()
    install(app)

    @app.get("/there")
    async def there() -> None: ...

    client = TestClient(app)
    given = {client.get("/elsewhere").json()["code"], client.post("/there").json()["code"]}

    assert given == {"not-found", "method-not-allowed"}
    assert given <= dict(ROWS).keys()


def test_links_of_the_page_lead_somewhere() -> None:
    for page in ("why-did-my-job-fail", "look-at-flower"):
        for link in re.findall(r"\]\(([^)#]+)(#[^)]+)?\)", (ROOT / f"docs/how-to/{page}.md").read_text()):
            target = (ROOT / "docs/how-to" / link[0]).resolve()
            assert target.exists(), link
            if link[1]:
                headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
                assert link[1][1:] in {re.sub(r"[^a-z0-9 -]", "", one.lower()).replace(" ", "-") for one in headings}
