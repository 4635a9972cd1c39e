"""What a synthetic shop is made from: its size, its seed and its period."""

from dataclasses import dataclass
from datetime import timedelta

from features.contracts.as_of import AsOf
from features.contracts.errors import ConfigurationError

BLOCK_CUSTOMERS = 10_000
FILE_BLOCKS = 50
LEAST_DAYS = 60
MOST_DAYS = 3_650


@dataclass(frozen=True)
class ShopPlan:
    """The size, seed and period of a shop: equal plans give equal bytes.

    Attributes:
        customers: how many there are at the end.
        seed: of everything that is drawn.
        days: length of the period that the data tell of.
        end: the moment at which the data were taken.
        block_customers: customers that are drawn together and share a row group.
        file_blocks: blocks that share a file.

    Raises:
        ConfigurationError: if there is nobody, or the period is too short or too long.
    """

    customers: int
    seed: int
    days: int
    end: AsOf
    block_customers: int = BLOCK_CUSTOMERS
    file_blocks: int = FILE_BLOCKS

    def __post_init__(self) -> None:
        if self.customers < 1 or self.seed < 0:
            raise ConfigurationError(
                f"a shop needs customers and a seed that is not negative, not {self.customers} "
                f"customers and seed {self.seed}"
            )
        if not LEAST_DAYS <= self.days <= MOST_DAYS:
            raise ConfigurationError(
                f"a shop's period has {LEAST_DAYS} to {MOST_DAYS} days, not {self.days}"
            )

    @property
    def start(self) -> AsOf:
        """The moment the shop opened."""
        return AsOf(self.end.moment - timedelta(days=self.days))

    @property
    def blocks(self) -> int:
        """How many blocks of customers there are."""
        return -(-self.customers // self.block_customers)

    @property
    def files(self) -> int:
        """How many files each table has."""
        return -(-self.blocks // self.file_blocks)

    def blocks_of(self, file: int) -> range:
        """Return the blocks that a file holds."""
        first = file * self.file_blocks
        return range(first, min(first + self.file_blocks, self.blocks))
