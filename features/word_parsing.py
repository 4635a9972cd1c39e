"""Ibis expressions that read words: yes and no, kinds of events, and ids that match a pattern."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import ibis

from features.contracts.tables import EventType
from features.value_parsing import as_text, parse_identifier, parse_word, spell_word

YES_WORDS = ("1", "yes", "y", "t", "on")  # true is spelt 1
NO_WORDS = ("0", "no", "n", "f", "off")
"""Words for yes and no, in the spelling of `parse_word`."""


def parse_yes_no(value: Any) -> Any:
    """Return yes or no as a boolean; null for any other word."""
    if value.type().is_boolean():
        return value
    word = parse_word(value)
    return ibis.cases(
        (word.isin(YES_WORDS), True), (word.isin(NO_WORDS), False), else_=ibis.null("boolean")
    )


def parse_kind(value: Any, kinds: Mapping[EventType, Iterable[str | int]]) -> Any:
    """Return the kind of an event: as the project file says, else as it is called, else as it is.

    Kinds that are called by our own names are found in any case, and with blanks or dashes.
    """
    word = parse_word(value)
    plain = word.re_replace(r"[\s-]+", "_")
    named = [
        (word.isin([spell_word(each) for each in values]), kind.value)
        for kind, values in kinds.items()
        if values
    ]
    ours = [(plain == kind.value, kind.value) for kind in EventType]
    return ibis.cases(*named, *ours, else_=parse_identifier(value))


def matches_any(value: Any, patterns: Iterable[str]) -> Any:
    """Return whether a text is matched as a whole by a pattern, without regard to case."""
    return as_text(value).re_search(pattern_regex(patterns)).fill_null(False)


def pattern_regex(patterns: Iterable[str]) -> str:
    """Return patterns (`*` for any characters, `?` for one, `[0-9]` for one of some) as a regex."""
    return "(?is)^(?:" + "|".join(_regex(pattern) for pattern in patterns) + ")$"


def _regex(pattern: str) -> str:
    parts = re.split(r"(\*|\?|\[[^\[\]]+\])", pattern.strip())
    return "".join(
        _WILD.get(part, part if part.startswith("[") else re.escape(part)) for part in parts
    )


_WILD = {"*": ".*", "?": "."}
