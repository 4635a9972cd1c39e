import hashlib
import json
import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.contracts.errors import ModelContractError
from features.contracts.goals import GoalName
from serving.artifact import FILES, MANIFEST, load_artifact, save_artifact
from serving.predictors import StoredPredictor
from tests.fakes import make_card, random_features, trained_predictor
from tests.repository import run_python

GOALS = list(GoalName)
NUMBERS = ("probability", "expected_value", "lower", "upper")
PICKLE_MAGIC = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04", b"\x1f\x8b")


def saved(folder: Path, goal: GoalName = GoalName.CLV) -> Path:
    save_artifact(folder / "model", make_card(goal), trained_predictor(goal))
    return folder / "model"


def seal(folder: Path) -> None:
    """Write a manifest that fits the files as they are, as somebody who tampers with them would."""
    names = sorted(path.name for path in folder.iterdir() if path.name != MANIFEST)
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / MANIFEST).write_text(json.dumps(digests), encoding="utf-8")


def refusal(folder: Path) -> str:
    """Return the message of the refusal to load a folder, which is one line with a next step."""
    with pytest.raises(ModelContractError) as refused:
        load_artifact(folder)
    message = str(refused.value)
    assert message.startswith(f"the model in {folder} is corrupt: ")
    assert "bellwether train" in message
    assert "\n" not in message
    return message


def rewrite(folder: Path, name: str, **changed: Any) -> None:
    """Change keys of a JSON file and fix the manifest."""
    content = json.loads((folder / name).read_bytes()) | changed
    (folder / name).write_text(json.dumps(content), encoding="utf-8")
    seal(folder)


class TestRoundTrip:
    @pytest.mark.parametrize("goal", GOALS)
    def test_predictions_are_the_same_to_the_last_bit(self, goal: GoalName, tmp_path: Path) -> None:
        matrix = random_features(1_000, seed=2)
        expected = trained_predictor(goal).predict(matrix)

        _, predictor = load_artifact(saved(tmp_path, goal))

        found = predictor.predict(matrix)
        for name in NUMBERS:
            assert getattr(found, name).tobytes() == getattr(expected, name).tobytes(), name

    @pytest.mark.parametrize("goal", GOALS)
    def test_card_and_tables_are_the_same(self, goal: GoalName, tmp_path: Path) -> None:
        card, predictor = load_artifact(saved(tmp_path, goal))

        assert card == make_card(goal)
        assert predictor.tables == trained_predictor(goal).tables

    @pytest.mark.parametrize("goal", GOALS)
    def test_what_was_loaded_can_be_saved_and_loaded_again(
        self, goal: GoalName, tmp_path: Path
    ) -> None:
        matrix = random_features(100)
        card, predictor = load_artifact(saved(tmp_path, goal))

        save_artifact(tmp_path / "again", card, predictor)

        _, again = load_artifact(tmp_path / "again")
        expected = predictor.predict(matrix).probability
        assert again.predict(matrix).probability.tobytes() == expected.tobytes()

    def test_same_model_gives_the_same_files(self, tmp_path: Path) -> None:
        first, second = saved(tmp_path / "first"), saved(tmp_path / "second")

        for path in first.iterdir():
            assert path.read_bytes() == (second / path.name).read_bytes(), path.name

    def test_newer_model_takes_the_place_of_an_older_one(self, tmp_path: Path) -> None:
        folder = saved(tmp_path, GoalName.CLV)

        save_artifact(folder, make_card(GoalName.CHURN), trained_predictor(GoalName.CHURN, seed=2))

        card, predictor = load_artifact(folder)
        assert card.goal is GoalName.CHURN
        assert predictor.boosters.keys() == {"order"}

    def test_saving_and_loading_are_silent(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        load_artifact(saved(tmp_path))

        assert capfd.readouterr() == ("", "")


class TestNoCode:
    @pytest.mark.parametrize("goal", GOALS)
    def test_files_are_text_of_known_names(self, goal: GoalName, tmp_path: Path) -> None:
        names = {path.name for path in saved(tmp_path, goal).rglob("*")}

        spend = {"spend.txt"} if goal is GoalName.CLV else set()
        assert names == {"card.json", "predictor.json", "manifest.json", "order.txt"} | spend
        assert names <= FILES | {MANIFEST}

    @pytest.mark.parametrize("goal", GOALS)
    def test_no_file_holds_a_pickle(self, goal: GoalName, tmp_path: Path) -> None:
        for path in saved(tmp_path, goal).iterdir():
            content = path.read_bytes()
            content.decode("utf-8")
            assert not any(magic in content for magic in PICKLE_MAGIC), path.name
            with pytest.raises((ValueError, IndexError, KeyError)):
                list(pickletools.genops(content))

    def test_loading_imports_no_pickle_of_anybody(self, tmp_path: Path) -> None:
        """Unpickling is made an error, and a whole load goes through all the same."""
        code = (
            "import pickle, sys\nfrom pathlib import Path\n"
            "from serving.artifact import load_artifact\n"
            "def refuse(*_, **__): raise SystemExit('unpickled')\n"
            "pickle.load = pickle.loads = pickle.Unpickler = refuse\n"
            "card, predictor = load_artifact(Path(sys.argv[1]))\n"
            "print(card.goal.value, *sorted(predictor.boosters))"
        )

        finished = run_python(code, str(saved(tmp_path)), cwd=tmp_path)

        assert (finished.stdout, finished.stderr) == ("clv order spend\n", "")


class TestDamage:
    @pytest.mark.parametrize("name", sorted(FILES | {MANIFEST}))
    def test_missing_file_is_named(self, name: str, tmp_path: Path) -> None:
        folder = saved(tmp_path)
        (folder / name).unlink()

        assert f"the file {name} is missing" in refusal(folder)

    @pytest.mark.parametrize("name", sorted(FILES))
    def test_file_missing_in_files_and_manifest_is_named(self, name: str, tmp_path: Path) -> None:
        folder = saved(tmp_path)
        (folder / name).unlink()
        seal(folder)

        assert f"the file {name} is missing" in refusal(folder)

    def test_folder_that_is_not_there(self, tmp_path: Path) -> None:
        assert "the file manifest.json is missing" in refusal(tmp_path / "nowhere")

    @pytest.mark.parametrize("name", sorted(FILES))
    def test_any_altered_byte_is_noticed(self, name: str, tmp_path: Path) -> None:
        folder = saved(tmp_path)
        content = (folder / name).read_bytes()

        for place in np.linspace(0, len(content) - 1, 15).astype(int).tolist():
            other = bytes([content[place] ^ 1])
            (folder / name).write_bytes(content[:place] + other + content[place + 1 :])
            assert f"the file {name} was altered" in refusal(folder)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b'"card.json"',
            b'{"card.json": 1}',
            b'{"card.json": ["a"]}',
            b"\xff\xfe",
            b"[" * 100_000,
            b"not json",
        ],
    )
    def test_manifest_that_is_no_list_of_files(self, content: bytes, tmp_path: Path) -> None:
        folder = saved(tmp_path)
        (folder / MANIFEST).write_bytes(content)

        assert "manifest.json is no list of files" in refusal(folder)

    def test_empty_manifest(self, tmp_path: Path) -> None:
        folder = saved(tmp_path)
        (folder / MANIFEST).write_text("{}", encoding="utf-8")

        assert "the file card.json is missing" in refusal(folder)

    def test_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        folder = saved(tmp_path)
        (folder / "order.txt").unlink()
        (folder / "order.txt").mkdir()

        assert "a file cannot be read" in refusal(folder)


class TestTampering:
    """Somebody changed the files and the manifest with them."""

    @pytest.mark.parametrize(
        "name",
        [
            "../../etc/passwd",
            "/etc/passwd",
            "..",
            "./card.json",
            "sub/card.json",
            "C:\\card.json",
            "model.pkl",
            "",
            "card.json\n",
        ],
    )
    def test_manifest_may_not_name_anything_else(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = saved(tmp_path)
        manifest = json.loads((folder / MANIFEST).read_bytes())
        (folder / MANIFEST).write_text(json.dumps(manifest | {name: "00"}), encoding="utf-8")
        read: list[Path] = []
        read_bytes = Path.read_bytes

        def watched(path: Path) -> bytes:
            read.append(path)
            return read_bytes(path)

        monkeypatch.setattr(Path, "read_bytes", watched)

        assert f"manifest.json names {name!r}, which is no part of a model" in refusal(folder)
        assert {path.name for path in read} == FILES | {MANIFEST}
        assert {path.parent for path in read} == {folder}

    @pytest.mark.parametrize("name", ["order.txt", "spend.txt"])
    @settings(max_examples=15, deadline=None)
    @given(share=st.floats(0.0, 1.0, exclude_max=True))
    def test_truncated_booster(
        self, name: str, share: float, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        folder = saved(tmp_path_factory.mktemp("truncated"))
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])
        seal(folder)

        assert f"{name} is cut off" in refusal(folder)

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            (lambda text: "", "is cut off"),
            (lambda text: re.sub(r"(?s)Tree=0.*end of trees", "\nend of trees", text), "no trees"),
            (lambda text: re.sub(r"left_child=\S+", "left_child=0", text), "unsound tree 0"),
            (lambda text: text.replace("split_feature=", "split_feature=9", 1), "unsound tree 0"),
            (lambda text: text.replace("Tree=0", "Tree=zero"), "tree zero where tree 0 should be"),
            (lambda text: text.replace("Tree=", "Branch="), "Branch"),
        ],
    )
    def test_unsound_booster_is_refused_without_a_word_of_lightgbm(
        self,
        change: Callable[[str], str],
        complaint: str,
        tmp_path: Path,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        folder = saved(tmp_path)
        text = (folder / "spend.txt").read_text(encoding="utf-8")
        (folder / "spend.txt").write_text(change(text), encoding="utf-8")
        seal(folder)

        message = refusal(folder)

        assert "spend.txt" in message
        assert complaint in message
        assert capfd.readouterr() == ("", "")

    def test_booster_of_other_features(self, tmp_path: Path) -> None:
        folder = saved(tmp_path)
        rewrite(folder, "card.json", columns=["orders_30d", "spend_90d"])

        assert "wants 3 features, the card names 2" in refusal(folder)

    @pytest.mark.parametrize("name", ["order_linear", "spend_linear"])
    def test_linear_half_of_other_features(self, name: str, tmp_path: Path) -> None:
        folder = saved(tmp_path)
        short = {"intercept": 0.0, "weights": [1.0], "lows": [0.0], "highs": [1.0]}
        rewrite(folder, "predictor.json", **{name: short})

        assert f"{name} wants 1 features, the card names 3" in refusal(folder)

    @pytest.mark.parametrize(
        ("name", "changed", "complaint"),
        [
            ("predictor.json", {"kind": "magic"}, "magic"),
            ("predictor.json", {"spend_scale": -1}, "spend_scale: Input should be greater than 0"),
            ("predictor.json", {"sigmoid": {"slope": 0}}, "sigmoid.slope"),
            ("predictor.json", {"__reduce__": "os.system"}, "Extra inputs are not permitted"),
            ("card.json", {"format": 2}, "format: Input should be 1"),
            ("card.json", {"band_names": []}, "band_names are not one more than band_edges"),
            ("card.json", {"training": None}, "training"),
        ],
    )
    def test_json_that_holds_something_else_says_what(
        self, name: str, changed: dict[str, Any], complaint: str, tmp_path: Path
    ) -> None:
        folder = saved(tmp_path)
        rewrite(folder, name, **changed)

        assert complaint in refusal(folder)

    @pytest.mark.parametrize("name", ["card.json", "predictor.json"])
    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"{" * 100_000])
    def test_json_that_is_none(self, name: str, content: bytes, tmp_path: Path) -> None:
        folder = saved(tmp_path)
        (folder / name).write_bytes(content)
        seal(folder)

        assert "does not hold what it should" in refusal(folder)

    @pytest.mark.parametrize(("holds", "says"), [("churn", "clv"), ("clv", "churn")])
    def test_predictor_of_another_kind_than_the_goal_of_the_card(
        self, holds: str, says: str, tmp_path: Path
    ) -> None:
        folder = saved(tmp_path, GoalName(holds))
        rewrite(folder, "card.json", goal=says)

        assert f"does not answer the goal {says}" in refusal(folder)


def test_loading_needs_no_right_to_write(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    for path in (*folder.iterdir(), folder):
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        predictor: StoredPredictor = load_artifact(folder)[1]
    finally:
        folder.chmod(0o700)

    assert predictor.boosters.keys() == {"order", "spend"}
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert list(tmp_path.iterdir()) == [folder]
