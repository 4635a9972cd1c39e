"""Reads the YAML of a project file, and refuses what YAML itself lets pass: a key that is twice."""

from typing import Any

import yaml


class _OneKeyOnce(yaml.SafeLoader):
    """A safe loader that refuses a mapping in which one key has two values."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            key, line = key_node.value, key_node.start_mark.line + 1
            if key in seen and key != "<<":
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    f"the key `{key}` is there twice, in lines {seen[key]} and {line}; keep one",
                )
            seen[str(key)] = line
        return super().construct_mapping(node, deep=deep)


def read_yaml(text: str) -> Any:
    """Return what the YAML `text` says.

    Raises:
        yaml.YAMLError: if it is not YAML, or a key is there twice in one mapping.
        ValueError: if it holds a date that does not exist.
    """
    return yaml.load(text, Loader=_OneKeyOnce)  # noqa: S506 - a safe loader
