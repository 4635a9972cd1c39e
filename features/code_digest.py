"""A digest of our own sources: which code computed something."""

import hashlib
from collections.abc import Sequence
from importlib import resources


def code_digest(packages: Sequence[str]) -> str:
    """Return the SHA-256 of the names and contents of all modules of these packages."""
    digest = hashlib.sha256()
    for package in packages:
        with resources.as_file(resources.files(package)) as folder:
            for path in sorted(folder.rglob("*.py")):
                digest.update(str(path.relative_to(folder)).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()
