import subprocess
import sys
import warnings

import pytest

from features.contracts.errors import FeatureStoreError
from features.definitions.at_work import feast_at_work

pytestmark = pytest.mark.integration


def test_importing_it_is_light() -> None:
    code = "import sys, features.definitions.at_work; print('feast' in sys.modules)"

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "False"


def test_errors_of_libraries_are_told_in_one_line_with_the_next_step() -> None:
    with (
        pytest.raises(FeatureStoreError, match="joining failed: no such file; run `bell") as caught,
        feast_at_work("joining"),
    ):
        raise OSError("no such file\nand much more")

    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)


def test_our_own_errors_pass_as_they_are() -> None:
    with pytest.raises(FeatureStoreError, match=r"^mine$"), feast_at_work("joining"):
        raise FeatureStoreError("mine")


def test_a_known_warning_is_kept_from_the_user_and_no_filter_is_left() -> None:
    before = list(warnings.filters)

    with feast_at_work("joining"):
        warnings.warn("fetch_arrow_table() is deprecated", DeprecationWarning, stacklevel=1)
        with pytest.raises(UserWarning, match="another"):
            warnings.warn("another", UserWarning, stacklevel=1)

    assert list(warnings.filters) == before
