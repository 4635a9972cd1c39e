"""Which code made a model: the release, and a digest of the sources that matter."""

import hashlib
from importlib import resources
from importlib.metadata import version

SOURCES = ("features", "serving", "training")


def code_version() -> str:
    """Return the release and the first digits of the SHA-256 of all sources up to training."""
    digest = hashlib.sha256()
    for package in SOURCES:
        root = resources.files(package)
        with resources.as_file(root) as folder:
            for path in sorted(folder.rglob("*.py")):
                digest.update(str(path.relative_to(folder)).encode())
                digest.update(path.read_bytes())
    return f"{version('bellwether')}+{digest.hexdigest()[:12]}"
