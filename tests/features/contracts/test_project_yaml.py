"""YAML in which every key is there once."""

from pathlib import Path

import pytest
import yaml

from features.contracts.errors import ConfigurationError
from features.contracts.project_yaml import read_yaml
from features.contracts.settings import PROJECT_FILE, load_settings


def test_yaml_is_read() -> None:
    text = "a: 1\nb:\n  a: 2\n  c: [x, {a: 3}]\n"

    assert read_yaml(text) == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "the key `a` is there twice, in lines 1 and 3"),
        ("x:\n  amount: paid\n  amount: total\n", "`amount` is there twice, in lines 2 and 3"),
        ("{a: 1, a: 1}", "`a` is there twice"),
    ],
    ids=["top", "nested", "flow"],
)
def test_key_that_is_there_twice_is_refused(text: str, said: str) -> None:
    with pytest.raises(yaml.YAMLError, match=said):
        read_yaml(text)


def test_merged_keys_may_be_overridden() -> None:
    text = "base: &base {a: 1, b: 2}\nx:\n  <<: *base\n  a: 3\n"

    assert read_yaml(text)["x"] == {"a": 3, "b": 2}


def test_no_object_is_made_of_yaml() -> None:
    with pytest.raises(yaml.YAMLError):
        read_yaml("!!python/object/apply:os.getcwd []")


def test_two_columns_for_one_name_are_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / PROJECT_FILE
    file.write_text("version: 1\ndata:\n  amount: paid\n  amount: total\n")

    with pytest.raises(ConfigurationError, match="`amount` is there twice") as raised:
        load_settings(file)

    assert "\n" not in str(raised.value)
