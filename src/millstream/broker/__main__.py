"""`python -m millstream.broker`: the broker alone, in the foreground."""

from __future__ import annotations

import argparse
import logging
import resource
import sys
from pathlib import Path

from millstream.broker.server import ServerSettings, serve
from millstream.errors import BrokerStartError


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or Ctrl-C; one line on standard output tells that it is ready."""
    parser = argparse.ArgumentParser(prog="python -m millstream.broker", description="A Kafka broker for one machine.")
    parser.add_argument("--listen", default="127.0.0.1:9092", metavar="HOST:PORT", help="port 0 takes a free one")
    parser.add_argument("--data", type=Path, default=Path(".millstream/data"), metavar="DIR")
    parser.add_argument("--memory", action="store_true", help="keep nothing on disk")
    parser.add_argument("--users", type=Path, metavar="FILE", help="stop when nobody holds a lock on this file")
    options = parser.parse_args(arguments)
    host, _, port = options.listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        parser.error(f"--listen must be HOST:PORT, not {options.listen!r}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    data = None if options.memory else options.data
    where = "in memory" if data is None else f"data: {data}"
    _allow_many_files()
    try:
        serve(
            ServerSettings(host, int(port), data, options.users),
            lambda address: print(f"millstream broker ready on {address} ({where})", flush=True),
        )
    except BrokerStartError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def _allow_many_files() -> None:
    """Each partition keeps a file open, each client a socket: use all that the system grants."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
