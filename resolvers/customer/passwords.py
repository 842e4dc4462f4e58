"""Passwords: which ones are possible, their hashes, and how a hash is made without anybody waiting for it (rule C17).

A hash takes some 50 ms and 64 MiB. It is made in threads of its own, of which there are as many as cores: further ones
wait there, not in memory. It is made before a transaction begins (`prepared_by`), so no other writer waits for it, and
only for a password that `possible_password` lets through.
"""

import asyncio
import base64
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from resolvers import formats
from resolvers.context import Context
from resolvers.errors import ErrorCode, Refused, refuse

T = TypeVar("T")

LONGEST_PASSWORD = 200
GENERATED_LENGTH = 20
UNAMBIGUOUS = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Letters and digits without those that look alike: a generated password is read aloud and typed."""

MOST_WAITING = 100
"""How many hashes may wait for a thread: some seconds' work."""

HASHER = PasswordHasher()
HASHING = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="hash")


def possible_password(password: str) -> None:
    """Raises `Refused` without the password (C17): REQUIRED for an empty one, TEXT_TOO_LONG, TEXT_INVALID."""
    if not password:
        raise refuse(ErrorCode.REQUIRED)
    if len(password) > LONGEST_PASSWORD:
        raise refuse(ErrorCode.TEXT_TOO_LONG)
    if formats.UNSTORABLE.search(password):
        raise refuse(ErrorCode.TEXT_INVALID)


def is_possible(password: str | None) -> bool:
    """Whether there is a password and `possible_password` lets it through."""
    try:
        possible_password(password or "")
    except Refused:
        return False
    return True


async def hash_of(password: str) -> str:
    """The hash to store for a possible password."""
    return await _hashing(HASHER.hash, password)


async def given_password_hashed(_: Context, given: Any) -> str | None:
    """For `prepared_by`: the hash of `given.password`; None without one, and for one that the act will refuse."""
    return await hash_of(given.password) if is_possible(given.password) else None


async def new_password_hashed(_: Context, given: Any) -> str | None:
    """For `prepared_by`: the hash of `given.new_password`; None for one that the act will refuse."""
    return await hash_of(given.new_password) if is_possible(given.new_password) else None


async def verify(stored_hash: str | None, password: str) -> bool:
    """Whether a possible password is the one with this hash. Without a hash the answer is no, after the same work."""
    return await _hashing(_verify, stored_hash or dummy_hash(), password) and stored_hash is not None


def is_outdated(stored_hash: str) -> bool:
    """Whether a hash was made with other parameters than those of today, and is to be made anew."""
    return HASHER.check_needs_rehash(stored_hash)


def dummy_hash() -> str:
    """A hash that no password has, with the parameters of today's."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(length)).decode().rstrip("=")
        for length in (HASHER.salt_len, HASHER.hash_len)
    )
    costs = f"m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"


def generated_password() -> str:
    """A new password of letters and digits, from the system's secure random source: some 115 bits."""
    return "".join(secrets.choice(UNAMBIGUOUS) for _ in range(GENERATED_LENGTH))


def _verify(stored_hash: str, password: str) -> bool:
    try:
        return HASHER.verify(stored_hash, password)
    except (VerificationError, InvalidHashError):
        return False


async def _hashing(work: Callable[..., T], *given: str) -> T:
    """Raises `Refused`, UNAVAILABLE, where so many wait already that nobody would wait for the answer."""
    if HASHING._work_queue.qsize() >= MOST_WAITING:
        raise refuse(ErrorCode.UNAVAILABLE)
    return await asyncio.get_running_loop().run_in_executor(HASHING, work, *given)
