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
LEAF_STATISTICS = frozenset({"leaf_weight", "leaf_count"})
NODE_STATISTICS = frozenset({"split_gain", "internal_value", "internal_weight", "internal_count"})
CATEGORICAL = 1
"""Bit of a decision type. Our features are numbers: categories would need tables of their own."""


def load_booster(content: bytes) -> lgb.Booster:
    """Return the booster that `content` describes.

    Raises:
        ValueError: if the text is cut off, or is not one of sound trees of numeric features.
    """
    text = content.decode()
    trees = _check(text)
    # Given the sizes, LightGBM parses in threads, where an error ends the process.
    in_one_thread = re.sub(r"^tree_sizes=.*\n", "", text, count=1, flags=re.MULTILINE)
    try:
        booster = lgb.Booster(model_str=in_one_thread)
    except lgb.basic.LightGBMError as error:
        raise ValueError(str(error)) from error
    if booster.num_trees() != trees:
        raise ValueError(f"holds {trees} trees, of which LightGBM reads {booster.num_trees()}")
    return booster


def _check(text: str) -> int:
    """Check the text and return its number of trees."""
    if not text.endswith(LAST_LINE) or END_OF_TREES not in text:
        raise ValueError("is cut off")
    if re.search(r"[^\n -~]", text):
        raise ValueError("holds characters that no booster has")
    head, *trees = re.split(r"^Tree=", text.split(END_OF_TREES)[0], flags=re.MULTILINE)
    features = _check_head(_fields(head))
    if not trees:
        raise ValueError("holds no trees")
    for number, tree in enumerate(trees):
        name, _, rest = tree.partition("\n")
        if name != str(number):
            raise ValueError(f"holds a tree {name} where tree {number} should be")
        try:
            _check_tree(_fields(rest), features)
        except ValueError as error:
            raise ValueError(f"holds an unsound tree {number} ({error})") from error
    return len(trees)


def _check_head(head: dict[str, str]) -> int:
    """Check what comes before the trees and return the number of features."""
    if head.get("num_class") != "1" or head.get("num_tree_per_iteration") != "1":
        raise ValueError("does not hold one tree per round")
    features = _whole_numbers(head, "max_feature_idx")[0] + 1
    for name in ("feature_names", "feature_infos"):
        if len(head.get(name, "").split(" ")) != features:
            raise ValueError(f"{name} does not name {features} features")
    return features


def _check_tree(tree: dict[str, str], features: int) -> None:
    if tree.get("num_cat") != "0" or tree.get("is_linear", "0") != "0":
        raise ValueError("not a plain tree of numbers")
    leaves = _whole_numbers(tree, "num_leaves")[0]
    _require_numbers(tree, "leaf_value", leaves)
    if leaves == 1:
        return
    # A split between known and unknown values has the threshold infinity.
    _require_numbers(tree, "threshold", leaves - 1, infinite=True)
    for name in tree.keys() & LEAF_STATISTICS:
        _require_numbers(tree, name, leaves)
    for name in tree.keys() & NODE_STATISTICS:
        _require_numbers(tree, name, leaves - 1)
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
    lines = [line.partition("=") for line in block.split("\n") if line]
    fields = {key: value for key, _, value in lines}
    # What only looks different to us may be the same field to LightGBM, which trims and forgives.
    strange = [key for key in fields if not re.fullmatch(r"[a-z_]+", key)]
    if strange or len(fields) != len(lines):
        raise ValueError("a field is there twice" if not strange else f"unknown {strange[0]!r}")
    return fields


def _whole_numbers(fields: dict[str, str], name: str, count: int = 1) -> list[int]:
    words = fields.get(name, "").split(" ")
    if len(words) != count or not all(re.fullmatch(r"-?[0-9]{1,9}", word) for word in words):
        raise ValueError(f"{name} does not hold {count} whole numbers")
    return [int(word) for word in words]


def _require_numbers(
    fields: dict[str, str], name: str, count: int, *, infinite: bool = False
) -> None:
    words = fields.get(name, "").split(" ")
    numbers = np.array([float(word) for word in words])
    sound = ~np.isnan(numbers) if infinite else np.isfinite(numbers)
    if len(words) != count or not sound.all():
        raise ValueError(f"{name} does not hold {count} numbers")
