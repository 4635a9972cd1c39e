import pytest
from pydantic import ValidationError

from features.contracts.online_settings import OnlineStoreSettings

URL = "redis://:s3cret@localhost:6379/0"


def test_sqlite_is_the_default_and_needs_nothing() -> None:
    own = OnlineStoreSettings()

    assert (own.type, own.path, own.url) == ("sqlite", None, None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"type": "redis"}, "a Redis store needs a `url`"),
        ({"url": URL}, "`url` is for Redis: set `type: redis`"),
        ({"type": "redis", "url": URL, "path": "online.db"}, "`path` is for SQLite"),
        ({"timeout_seconds": 0}, "greater than 0"),
        ({"password": "x"}, "not permitted"),
    ],
)
def test_sections_that_mix_the_kinds_are_refused(content: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        OnlineStoreSettings.model_validate(content)


def test_password_is_not_shown() -> None:
    own = OnlineStoreSettings.model_validate({"type": "redis", "url": URL})

    assert "s3cret" not in f"{own} {own!r} {own.model_dump()} {own.model_dump_json()}"
    assert own.url is not None
    assert own.url.get_secret_value() == URL
