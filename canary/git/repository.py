"""One remote repository, through a clone of ours that is only a cache."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator

from canary.errors import SpecInvalid
from canary.git.address import parse_address, redact
from canary.git.clone import GitSettings, acquire
from canary.git.credentials import Binding
from canary.git.reading import Reading
from canary.git.remote import Remote
from canary.git.writing import Writing


class Repository(Remote, Reading, Writing):
    """The repository at one address, locked for one user; made by `open_repository`."""


@contextlib.contextmanager
def open_repository(url: str, binding: Binding, settings: GitSettings) -> Iterator[Repository]:
    """Lock and prepare the clone of an address.

    Raises
    ------
    Forbidden, SpecInvalid
        When the binding is not for this address.
    GitUnavailable
        When another use of the same clone does not end in time.
    """
    if not parse_address(binding.repositories).covers(parse_address(url)):
        raise SpecInvalid(f"credential binding {binding.name} is not for {redact(url)}")
    settings.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = hashlib.sha256(url.encode()).hexdigest()[:24]
    lock = os.open(settings.cache / f"{key}.flock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        acquire(lock, settings.lock_timeout_seconds, redact(url))
        repository = Repository(url, binding, settings, settings.cache / f"{key}.git", lock)
        repository.prepare()
        yield repository
    finally:
        os.close(lock)
