"""Slug: a name that came from elsewhere, as one part of a path that stays in its folder on any file system."""

from __future__ import annotations

import re

LONGEST = 100  # characters; file systems take 255 bytes, and endings are added


def slug(name: str) -> str:
    """The name with nothing in it that a file system or a shell could take amiss; never empty, "." or ".."."""
    return re.sub(r"[^\w.-]", "_", name).strip(".-")[:LONGEST] or "_"
