import pytest

from features.contracts.tables import CANCELLED
from tests.features.hand_made import ago, features_of, order

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table")


def test_channels_and_devices_are_those_of_completed_orders() -> None:
    found = features_of(
        order(ago(days=400), channel="post", device="phone"),
        order(ago(days=8), channel="web", device="phone"),
        order(ago(days=7), channel="web"),
        order(ago(days=6), channel=None),
        order(ago(days=5), channel="phone", device="laptop", status=CANCELLED),
    )

    assert (found["channels_total"], found["channels_365d"]) == (2, 1)
    assert (found["devices_total"], found["devices_365d"]) == (1, 1)


def test_the_top_share_is_of_the_orders_whose_channel_is_recorded() -> None:
    found = features_of(
        *(order(ago(days=age), channel="web") for age in (9, 8)),
        order(ago(days=7), channel="shop"),
        *(order(ago(days=age)) for age in (6, 5, 4)),
    )

    assert found["channel_top_share"] == 2 / 3
    assert found["device_top_share"] is None
    assert found["devices_total"] == 0
