"""Boosters in LightGBM's text format, checked before LightGBM reads them.

LightGBM trusts its files: a truncated one ends the whole process, and links of a tree that lead in
a circle or out of the tree hang or read foreign memory. A stored model must end in an error
instead, so the trees are checked here, link by link.
"""

import re

import lightgbm as lgb
import numpy as np

END_OF_TREES = "\nend of trees\n"
LAST_LINE = "\npandas_categorical:null\n"
CATEGORICAL = 1
"""Bit of a decision type. Our features are numbers: categories would need tables of their own."""


def load_booster(content: bytes) -> lgb.Booster:
    """Return the booster that `content` describes.

    Raises:
        ValueError: if the text is cut off, or is not one of sound trees of numeric features.
    """
    text = content.decode()
    _check(text)
    # Given the sizes, LightGBM parses in threads, where an error ends the process.
    in_one_thread = re.sub(r"^tree_sizes=.*\n", "", text, count=1, flags=re.MULTILINE)
    try:
        return lgb.Booster(model_str=in_one_thread)
    except lgb.basic.LightGBMError as error:
        raise ValueError(str(error)) from error


def _check(text: str) -> None:
    if not text.endswith(LAST_LINE) or END_OF_TREES not in text:
        raise ValueError("is cut off")
    head, *trees = re.split(r"^Tree=\d+\n", text.split(END_OF_TREES)[0], flags=re.MULTILINE)
    header = _fields(head)
    if header.get("num_class") != "1" or header.get("num_tree_per_iteration") != "1":
        raise ValueError("does not hold one tree per round")
    features = _whole_numbers(header, "max_feature_idx")[0] + 1
    if not trees:
        raise ValueError("holds no trees")
    for number, tree in enumerate(trees):
        try:
            _check_tree(_fields(tree), features)
        except ValueError as error:
            raise ValueError(f"holds an unsound tree {number} ({error})") from error


def _check_tree(tree: dict[str, str], features: int) -> None:
    if tree.get("num_cat") != "0" or tree.get("is_linear", "0") != "0":
        raise ValueError("not a plain tree of numbers")
    leaves = _whole_numbers(tree, "num_leaves")[0]
    _require_numbers(tree, "leaf_value", leaves)
    if leaves == 1:
        return
    _require_numbers(tree, "threshold", leaves - 1)
    split_on = _whole_numbers(tree, "split_feature", leaves - 1)
    if min(split_on) < 0 or max(split_on) >= features:
        raise ValueError("split_feature names a feature that is not there")
    if any(kind & CATEGORICAL for kind in _whole_numbers(tree, "decision_type", leaves - 1)):
        raise ValueError("decision_type asks for categories")
    _check_links(tree, leaves)


def _check_links(tree: dict[str, str], leaves: int) -> None:
    """Check that every way through the tree ends at a leaf: links lead on, and each only once."""
    left = _whole_numbers(tree, "left_child", leaves - 1)
    right = _whole_numbers(tree, "right_child", leaves - 1)
    # Inner nodes count up from the root 0, leaves down from -1.
    if sorted(left + right) != [*range(-leaves, 0), *range(1, leaves - 1)]:
        raise ValueError("its nodes are not linked once each")
    for node, children in enumerate(zip(left, right, strict=True)):
        if any(0 <= child <= node for child in children):
            raise ValueError("its links lead back")


def _fields(block: str) -> dict[str, str]:
    lines = [line.partition("=") for line in block.splitlines() if line]
    fields = {key: value for key, _, value in lines}
    if len(fields) != len(lines):
        raise ValueError("a field is there twice")
    return fields


def _whole_numbers(fields: dict[str, str], name: str, count: int = 1) -> list[int]:
    words = fields.get(name, "").split(" ")
    if len(words) != count or not all(re.fullmatch(r"-?[0-9]{1,9}", word) for word in words):
        raise ValueError(f"{name} does not hold {count} whole numbers")
    return [int(word) for word in words]


def _require_numbers(fields: dict[str, str], name: str, count: int) -> None:
    words = fields.get(name, "").split(" ")
    if len(words) != count or not np.isfinite([float(word) for word in words]).all():
        raise ValueError(f"{name} does not hold {count} numbers")
