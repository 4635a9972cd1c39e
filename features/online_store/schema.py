"""What a packed row holds: the names and types of a view's features, under a fingerprint.

Every row carries the fingerprint of the schema it was written with, and the store remembers every
schema by it. So rows written before and after a feature was added, removed or retyped live side by
side, and each reader takes from a row what it still, or already, has.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from sys import intern
from zlib import crc32

from features.contracts.errors import FeatureStoreError


class ValueType(StrEnum):
    """How one value is stored. Timestamps are microseconds since 1970, UTC.

    A blob is opaque: whatever has no type of its own here, in a form its writer understands.
    """

    FLOAT64 = "float64"
    FLOAT32 = "float32"
    INT64 = "int64"
    INT32 = "int32"
    BOOL = "bool"
    TIMESTAMP = "timestamp"
    STRING = "string"
    BYTES = "bytes"
    BLOB = "blob"

    @property
    def is_variable(self) -> bool:
        """Whether values differ in length."""
        return self in (ValueType.STRING, ValueType.BYTES, ValueType.BLOB)

    @property
    def is_float(self) -> bool:
        """Whether a null is a number of its own, so that no presence bit is needed."""
        return self in (ValueType.FLOAT64, ValueType.FLOAT32)


@dataclass(frozen=True)
class RowSchema:
    """The features of a view, in order.

    Attributes:
        names: f names.
        types: their f types.

    Raises:
        FeatureStoreError: if a name appears twice, or names and types differ in number.
    """

    names: tuple[str, ...]
    types: tuple[ValueType, ...]

    def __post_init__(self) -> None:
        if len(self.names) != len(self.types):
            raise FeatureStoreError(
                f"a row schema has {len(self.names)} names but {len(self.types)} types"
            )
        twice = {name for name in self.names if self.names.count(name) > 1}
        if twice:
            raise FeatureStoreError(f"a row schema names {', '.join(sorted(twice))} twice")

    @classmethod
    def of(cls, types: Mapping[str, ValueType]) -> "RowSchema":
        """Return the schema of features given as name -> type, in their order."""
        return cls(tuple(types), tuple(types.values()))

    @classmethod
    def from_json(cls, text: str | bytes) -> "RowSchema":
        """Return the schema written by `to_json`.

        Raises:
            FeatureStoreError: if the text is not one.
        """
        try:
            fields: Sequence[tuple[str, str]] = json.loads(text)
            return cls(
                tuple(intern(name) for name, _ in fields),  # compared faster
                tuple(ValueType(kind) for _, kind in fields),
            )
        except (ValueError, TypeError) as error:
            raise FeatureStoreError(
                f"a stored row schema cannot be read: {error}; refresh the online store"
            ) from error

    def to_json(self) -> str:
        """Return the schema as text, the same text for equal schemas."""
        fields = [[name, kind.value] for name, kind in zip(self.names, self.types, strict=True)]
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))

    @cached_property
    def fingerprint(self) -> int:
        """A number of 32 bits that stands for the names, the types and their order."""
        return crc32(self.to_json().encode())

    def __hash__(self) -> int:
        return self.fingerprint

    @cached_property
    def by_name(self) -> Mapping[str, ValueType]:
        """The type of each name, in order."""
        return dict(zip(self.names, self.types, strict=True))

    def shared_with(self, wanted: "RowSchema") -> set[str]:
        """Return the features that both have, in the same type."""
        return {name for name, _ in self.by_name.items() & wanted.by_name.items()}

    def retyped_in(self, wanted: "RowSchema") -> set[str]:
        """Return the features that both have, but in another type."""
        return (self.by_name.keys() & wanted.by_name.keys()) - self.shared_with(wanted)

    @cached_property
    def place(self) -> Mapping[str, int]:
        """The position of each name."""
        return {name: position for position, name in enumerate(self.names)}
