from pathlib import Path

from features.contracts.layout import Layout
from features.contracts.settings import PROJECT_FILE, TrackingSettings


def places(layout: Layout) -> list[Path]:
    """Return every place that Bellwether writes to."""
    ours = {"root", "project_file"}
    return [path for name, path in vars(layout).items() if name not in ours]


def test_everything_lies_under_state_or_reports(tmp_path: Path) -> None:
    layout = Layout(tmp_path)

    assert layout.project_file == tmp_path / PROJECT_FILE
    assert all(
        path.is_relative_to(tmp_path / "state") or path.is_relative_to(tmp_path / "reports")
        for path in places(layout)
    )


def test_no_two_things_share_a_place(tmp_path: Path) -> None:
    layout = Layout(tmp_path)

    assert len(set(places(layout))) == len(places(layout))


def test_a_relative_root_is_fixed_once_and_for_all(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()

    assert Layout(Path("shop")).state == tmp_path / "shop" / "state"


def test_state_can_lie_elsewhere_while_the_project_stays(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "shop", state=tmp_path / "scratch")

    assert layout.project_file == tmp_path / "shop" / PROJECT_FILE
    assert layout.snapshots == tmp_path / "scratch" / "snapshots"
    assert layout.models == tmp_path / "scratch" / "models"


def test_looking_at_the_layout_makes_no_folder(tmp_path: Path) -> None:
    Layout(tmp_path / "shop")

    assert list(tmp_path.iterdir()) == []


def test_tracking_goes_to_the_projects_own_file_unless_told_otherwise(tmp_path: Path) -> None:
    layout = Layout(tmp_path)

    assert layout.tracking_uri(TrackingSettings()) == f"sqlite:///{tmp_path}/state/tracking.db"
    assert layout.tracking_uri(TrackingSettings(uri="http://mlflow:5000")) == "http://mlflow:5000"
