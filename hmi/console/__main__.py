"""Console start: `python -m hmi.console --gateway http://127.0.0.1:8420`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hmi.console.app import At, run
from hmi.console.link import Gateway


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m hmi.console", description="The operator console of NeuroTwin.")
    parser.add_argument("--gateway", required=True, metavar="URL", action="append", help="a gateway; may be repeated")
    parser.add_argument("--token-file", type=Path, help="the gateways' token, where they have users")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine only)")
    parser.add_argument("--port", type=int, default=8421, help="port to listen at; 0 takes a free one")
    given = parser.parse_args()
    try:
        token = given.token_file.read_text(encoding="utf-8").strip() if given.token_file else ""
        run([Gateway(url, token) for url in given.gateway], At(given.host, given.port))
    except (ValueError, OSError) as fault:
        print(f"console: {fault}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
