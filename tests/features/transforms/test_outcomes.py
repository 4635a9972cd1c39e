from datetime import datetime

import ibis
import pytest

from features.sources import open_connection
from features.transforms.known import moments_table, rows_known_at
from features.transforms.outcomes import seconds_since
from tests.features.hand_made import DAY, MICROSECOND, SECOND, T, ago, canonical, ticket

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


@pytest.mark.parametrize(
    ("closed_at", "seconds"),
    [
        pytest.param(None, None, id="never"),
        pytest.param(ago(days=2), 2 * 86_400, id="before"),
        pytest.param(T.moment - MICROSECOND, 1, id="just before, and a started second counts"),
        pytest.param(T.moment - SECOND - MICROSECOND, 2, id="a second and a bit before"),
        pytest.param(T.moment, None, id="at the moment"),
        pytest.param(T.moment + DAY, None, id="later, though it stands in the row already"),
    ],
)
def test_an_outcome_is_known_once_its_own_time_has_passed(
    closed_at: datetime | None, seconds: int | None
) -> None:
    tickets = ibis.memtable(canonical([ticket(ago(days=9), closed_at=closed_at)])["tickets"])
    known = rows_known_at(tickets, moments_table([T]), event_time="opened_at")

    found = open_connection().to_pyarrow(known.select(age=seconds_since(known, "closed_at")))

    assert found["age"].to_pylist() == [seconds]
