"""The package's shape: names that are met once, modules that can be read in one sitting, no circles."""

from __future__ import annotations

import ast
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

from tests.support import docs

MOST_LINES = 420
MOST_MODULES = 308
"""Packages count, too. Raise it for a new capability only, not for a part of an old one."""

MODULES = {
    ".".join(path.relative_to(docs.ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(docs.PACKAGE.rglob("*.py"))
}
"""The source file of each module, by the module's dotted name."""

SOURCES = [*MODULES.values(), *(docs.ROOT / "tests").rglob("*.py")]
PAGES = sorted([*docs.ROOT.glob("*.md"), *docs.DOCS.rglob("*.md")])


def public_classes(path: Path) -> Iterator[str]:
    """Yield the names of a module's top-level classes that do not begin with an underscore."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def circles(imports: dict[str, set[str]]) -> Iterator[list[str]]:
    """Yield the groups of modules that reach each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []

    def visit(module: str) -> Iterator[list[str]]:
        index[module] = lowest[module] = len(index)
        stack.append(module)
        for imported in sorted(imports[module]):
            if imported not in index:
                yield from visit(imported)
                lowest[module] = min(lowest[module], lowest[imported])
            elif imported in stack:
                lowest[module] = min(lowest[module], index[imported])
        if lowest[module] == index[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                yield sorted(group)

    for module in sorted(imports):
        if module not in index:
            yield from visit(module)


def test_circles_are_found() -> None:
    imports = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set[str](), "e": {"a"}}
    assert list(circles(imports)) == [["b", "c"]]


def test_no_import_circle() -> None:
    """Imports inside functions count; those for type checkers alone do not."""
    graph = grimp.build_graph("importer", exclude_type_checking_imports=True, cache_dir=None)
    assert graph.modules == MODULES.keys()
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert list(circles(imports)) == []


def test_no_public_class_name_twice() -> None:
    where = defaultdict(list)
    for module, path in MODULES.items():
        for name in public_classes(path):
            where[name].append(module)
    assert {name: modules for name, modules in where.items() if len(modules) > 1} == {}


def test_a_module_can_be_read_in_one_sitting() -> None:
    lines = {module: len(path.read_text("utf-8").splitlines()) for module, path in MODULES.items()}
    assert {module: count for module, count in lines.items() if count > MOST_LINES} == {}


def test_the_modules_can_be_counted() -> None:
    assert len(MODULES) <= MOST_MODULES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(docs.ROOT).as_posix())
def test_docs_name_no_module_that_is_not_there(page: Path) -> None:
    """Dotted names (`importer.api.answers`) and files (`answers.py`), in code samples, too."""
    text = page.read_text("utf-8")
    for name in set(re.findall(r"\bimporter(?:\.\w+)+", text)) - {"importer.toml"}:
        pkgutil.resolve_name(name)
    files = [f"/{file.relative_to(docs.ROOT).as_posix()}" for file in SOURCES]
    for name in set(re.findall(r"[\w/]+\.py\b", text)):
        assert any(file.endswith(f"/{name.lstrip('/')}") for file in files), name


@pytest.mark.parametrize("module", MODULES)
def test_docstrings_name_no_module_that_is_not_there(module: str) -> None:
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names = re.findall(r"\bimporter(?:\.\w+)+", ast.get_docstring(node) or "")
            for name in set(names) - {"importer.toml"}:
                pkgutil.resolve_name(name)
