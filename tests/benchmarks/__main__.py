"""``python -m tests.benchmarks NAME``: run one of the benchmarks beside this file, found by its name."""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from pathlib import Path

from nap_core.environment import prepare_environment

HERE = Path(__file__).parent


def benchmarks() -> dict[str, str]:
    """Name → first line of the docstring, of every module here with a function `main` (arguments)."""
    found = {}
    for path in sorted(HERE.glob("[a-z]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body):
            found[path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def main(arguments: list[str]) -> None:
    found = benchmarks()
    if not arguments or arguments[0] not in found:
        listed = "\n".join(f"  {name:12} {line}" for name, line in found.items())
        sys.exit(f"usage: python -m tests.benchmarks NAME [options]\n\n{listed}")
    prepare_environment()
    import_module(f"tests.benchmarks.{arguments[0]}").main(arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
