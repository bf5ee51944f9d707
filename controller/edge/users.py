"""User accounts: names, roles and argon2 hashes in one small file that only its owner can read."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from controller.support.user_error import UserError

PASSWORD_BYTES = 15  # 120 bits, 20 letters: nobody has to remember it, a password manager does (design)


class UserRole(StrEnum):
    """What a person may do: look; answer and act; and also change what operators must not."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"


RANK = {UserRole.VIEWER: 0, UserRole.OPERATOR: 1, UserRole.ENGINEER: 2}


@dataclass(frozen=True, slots=True)
class User:
    """One person."""

    name: str
    role: UserRole
    hash: str


class Users:
    """The file of users. It is read anew when it has changed, so that a removed user is out at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hasher = PasswordHasher()
        self._seen: tuple[int, int] | None = None
        self._known: dict[str, User] = {}
        self._nobody = self._hasher.hash(secrets.token_urlsafe(PASSWORD_BYTES))

    def known(self) -> dict[str, User]:
        """Everybody, by name; UserError when the file is there and cannot be used."""
        try:
            told = self.path.stat()
        except FileNotFoundError:
            self._seen, self._known = None, {}
            return {}
        if self._seen != (told.st_mtime_ns, told.st_size):
            self._known = {user.name: user for user in _read(self.path)}
            self._seen = (told.st_mtime_ns, told.st_size)
        return self._known

    def add(self, name: str, role: UserRole) -> str:
        """Add a person, or give one a new password and role; the password, which is kept nowhere."""
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        self._write({**self.known(), name: User(name, role, self._hasher.hash(password))})
        return password

    def remove(self, name: str) -> None:
        """Take a person out; UserError when there is none of this name."""
        known = dict(self.known())
        if known.pop(name, None) is None:
            raise UserError(f"{self.path} knows no user {name!r}; there are: {', '.join(sorted(known)) or 'none'}")
        self._write(known)

    def verify(self, name: str, password: str) -> User | None:
        """The person, if the password is right. An unknown name takes as long as a wrong password."""
        user = self.known().get(name)
        try:
            self._hasher.verify(self._nobody if user is None else user.hash, password)
        except (VerificationError, InvalidHashError):
            return None
        return user

    def _write(self, users: dict[str, User]) -> None:
        rows = [{"name": u.name, "role": str(u.role), "hash": u.hash} for u in users.values()]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(self.path.name + ".new")
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump({"users": rows}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self.path)
        self._seen = None


def token_at(path: Path) -> str:
    """The secret in this file, which is made, for its owner's eyes only, when there is none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
    except FileExistsError:
        pass
    token = path.read_text(encoding="utf-8").strip()
    if not token:
        raise UserError(f"{path} is empty; remove it, and a new token is made at the next start")
    return token


def _read(path: Path) -> list[User]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["users"]
        return [User(row["name"], UserRole(row["role"]), row["hash"]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise UserError(f"{path}: the users cannot be read ({fault}); restore it, or add them anew") from None
