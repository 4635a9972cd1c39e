"""Which code made a model: the release, and a digest of the sources that matter."""

from importlib.metadata import version

from features.code_digest import code_digest

SOURCES = ("features", "serving", "training")


def code_version() -> str:
    """Return the release and the first digits of the SHA-256 of all sources up to training."""
    return f"{version('bellwether')}+{code_digest(SOURCES)[:12]}"
