import re

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.booster_text import load_booster
from tests.fakes import random_features, trained_booster

TEXT = trained_booster().model_to_string()


def replaced(old: str, new: str) -> str:
    """Return the text with the first of `old` replaced; the sizes of the trees then are wrong."""
    assert old in TEXT
    return TEXT.replace(old, new, 1)


def test_booster_comes_back_to_the_last_bit() -> None:
    matrix = random_features(200)
    expected = np.asarray(trained_booster().predict(matrix, raw_score=True, num_threads=1))

    booster = load_booster(TEXT.encode())

    found = np.asarray(booster.predict(matrix, raw_score=True, num_threads=1))
    assert found.tobytes() == expected.tobytes()
    assert load_booster(booster.model_to_string().encode()).num_trees() == booster.num_trees()


def test_stump_that_never_splits_is_sound() -> None:
    data = lgb.Dataset(np.ones((30, 2)), np.repeat([0.0, 1.0], [10, 20]))
    stump = lgb.train({"objective": "binary", "verbosity": -1}, data, 5)

    assert load_booster(stump.model_to_string().encode()).num_feature() == 2


@settings(max_examples=60)
@given(st.integers(0, len(TEXT) - 1))
def test_text_cut_off_anywhere_is_refused(end: int) -> None:
    with pytest.raises(ValueError, match="is cut off"):
        load_booster(TEXT[:end].encode())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (replaced("left_child=", "left_child=0 "), "left_child does not hold 6 whole numbers"),
        (re.sub(r"left_child=\S+", "left_child=0", TEXT, count=1), "not linked once each"),
        (re.sub(r"left_child=\S+", "left_child=-100", TEXT, count=1), "not linked once each"),
        (re.sub(r"left_child=\S+", "left_child=1e3", TEXT, count=1), "left_child does not hold"),
        (replaced("split_feature=0", "split_feature=3"), "names a feature that is not there"),
        (replaced("split_feature=0", "split_feature=-1"), "names a feature that is not there"),
        (replaced("num_leaves=7", "num_leaves=8"), "leaf_value does not hold 8 numbers"),
        (replaced("num_leaves=7", "num_leaves=-7"), "does not hold -7 numbers"),
        (replaced("num_leaves=7", "num_leaves=7\nnum_leaves=7"), "a field is there twice"),
        (re.sub(r"leaf_value=\S+", "leaf_value=nan", TEXT, count=1), "leaf_value does not hold"),
        (re.sub(r"threshold=\S+", "threshold=low", TEXT, count=1), "could not convert"),
        (re.sub(r"decision_type=\d+", "decision_type=1", TEXT, count=1), "asks for categories"),
        (replaced("num_cat=0", "num_cat=1"), "not a plain tree"),
        (replaced("left_child=", " left_child=9\nleft_child="), "unknown ' left_child'"),
        (replaced("Tree=0", "Tree=zero"), "tree zero where tree 0 should be"),
        (replaced("Tree=1\n", ""), "a field is there twice"),
        (replaced("Tree=1\n", "Tree=2\n"), "tree 2 where tree 1 should be"),
        (replaced("Tree=1\n", " Tree=1\n"), "unknown ' Tree'"),
        (replaced("\nTree=1\n", "\rTree=1\n"), "characters that no booster has"),
        (replaced("shrinkage=1\n", "shrinkage=1\n\nfoo=1\n"), "holds 20 trees, of which"),
        (replaced("is_linear=0", "is_linear=1"), "not a plain tree"),
        (re.sub(r"(?s)Tree=0.*end of trees", "\nend of trees", TEXT), "holds no trees"),
        (replaced("num_class=1", "num_class=3"), "does not hold one tree per round"),
        (replaced("max_feature_idx=2", "max_feature_idx="), "max_feature_idx does not hold"),
        (replaced("feature_infos=[", "feature_infos=none ["), "feature_infos does not name 3"),
        (replaced("objective=binary", "objective=guessing"), "guessing"),
        (replaced("leaf_weight=", "leaf_weight=1 "), "leaf_weight does not hold 7 numbers"),
        (replaced("internal_count=", "internal_count=1 "), "internal_count does not hold 6"),
        ("\nend of trees\n\npandas_categorical:null\n", "does not hold one tree per round"),
    ],
)
def test_unsound_booster_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        load_booster(text.encode())


def test_links_that_lead_back_are_refused() -> None:
    """Two inner nodes swap places: each is still linked once, but the walk would never end."""
    tree = {
        "num_leaves": "4",
        "num_cat": "0",
        "split_feature": "0 1 0",
        "split_gain": "1 1 1",
        "threshold": "1 1 1",
        "decision_type": "2 2 2",
        "left_child": "-1 2 1",
        "right_child": "-2 -3 -4",
        "leaf_value": "1 2 3 4",
    }
    lines = "\n".join(f"{key}={value}" for key, value in tree.items())
    text = re.sub(r"(?s)Tree=0.*?(?=Tree=1\n)", f"Tree=0\n{lines}\n\n\n", TEXT)

    with pytest.raises(ValueError, match=r"unsound tree 0 \(its links lead back\)"):
        load_booster(text.encode())


def test_text_beyond_ascii_is_refused() -> None:
    """Line ends of other kinds could part lines for one reader and not for the other."""
    with pytest.raises(ValueError, match="characters that no booster has"):
        load_booster(replaced("Tree=0", "Tree=0\u2028").encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        load_booster(TEXT.encode().replace(b"Tree=0", b"Tree=\xff"))


def test_sizes_that_would_end_the_process_are_not_read() -> None:
    """LightGBM would parse the trees at wrong places, in threads where its errors are fatal."""
    text = re.sub(r"tree_sizes=\d+", "tree_sizes=7", TEXT)

    assert load_booster(text.encode()).num_trees() == trained_booster().num_trees()


def test_loading_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    load_booster(TEXT.encode())

    assert capfd.readouterr() == ("", "")
