"""The house rules that a machine can check: imports point downwards, and streamlit stays at the top."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ORDER = (
    *("errors", "types", "configs", "keys", "store", "environment"),
    "inputs",
    *("activations", "geometry"),
    *("patterns", "embedding", "flows", "flow_statistics", "explain"),
    "findings",
    *("palette", "figures", "flow_figures", "quality_figures"),
    *("study", "export"),
    *("ui", "command_line", "reports", "commands", "__main__"),
)
LEVEL = {name: level for level, name in enumerate(ORDER)}
HEAVY = {"torch", "torchvision", "umap", "hdbscan", "sklearn", "scipy", "plotly", "joblib", "pandas", "captum"}
CORE = sorted((ROOT / "nap_core").rglob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))


def imported(path: Path, *, at_module_level: bool = False) -> set[str]:
    """Dotted names of the modules that a file imports, type-checking blocks left out."""
    names: set[str] = set()

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if at_module_level and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if isinstance(child, ast.Import):
                names.update(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module:
                names.update(f"{child.module}.{alias.name}" for alias in child.names)
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return names


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path: Path) -> None:
    own = path.relative_to(ROOT / "nap_core").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "nap_core" and len(parts) > 1 and parts[1] in LEVEL and parts[1] != own:
            assert LEVEL[parts[1]] < LEVEL[own], f"{own} imports {name}, which stands above it"


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_streamlit_only_in_ui(path: Path) -> None:
    if path.relative_to(ROOT / "nap_core").parts[0] != "ui":
        assert not [name for name in imported(path) if name.split(".")[0] == "streamlit"]


@pytest.mark.parametrize("path", [ROOT / "app.py", *PAGES], ids=lambda path: path.name)
def test_pages_import_streamlit_and_nap_core_only(path: Path) -> None:
    assert {name.split(".")[0] for name in imported(path)} <= {"streamlit", "nap_core", "__future__"}


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_packages_are_imported_where_used(path: Path) -> None:
    if path.name == "demo_networks.py":
        return  # architectures are torch classes; the module itself is imported where used
    assert not {name.split(".")[0] for name in imported(path, at_module_level=True)} & HEAVY


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_one_idea_per_file(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
