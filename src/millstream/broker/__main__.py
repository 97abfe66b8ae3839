"""`python -m millstream.broker`: the broker alone, in the foreground."""

from __future__ import annotations

import argparse
import ipaddress
import logging
import resource
import sys
from pathlib import Path
from typing import NoReturn

from millstream.broker.durability import Fsync
from millstream.broker.security.accounts import read_accounts
from millstream.broker.security.mechanisms import MECHANISMS
from millstream.broker.security.tls import Tls
from millstream.broker.server import Security, ServerSettings, serve
from millstream.broker.settings import BrokerSettings
from millstream.errors import BrokerStartError, ConfigError

_log = logging.getLogger("millstream.broker")


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message} ({self.prog} --help tells more)")


def main(arguments: list[str] | None = None, *, prog: str = "python -m millstream.broker") -> int:
    """Run until SIGTERM or Ctrl-C; one line on standard output tells that it is ready."""
    try:
        settings = _settings(_parser(prog).parse_args(arguments))
    except (ConfigError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return ConfigError.exit_status
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    _warn_of_strangers(settings)
    where = "in memory" if settings.data is None else f"data: {settings.data}"
    _allow_many_files()
    try:
        serve(settings, lambda address: print(f"millstream broker ready on {address} ({where})", flush=True))
    except BrokerStartError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=prog,
        description="Run a Kafka broker for one machine until Ctrl-C or SIGTERM; one line tells when it is ready.",
    )
    option = parser.add_argument
    option("--listen", default="127.0.0.1:9092", metavar="HOST:PORT", help="port 0 takes a free one (%(default)s)")
    option(
        "--data", type=Path, default=Path(".millstream/data"), metavar="DIR", help="folder of the logs (%(default)s)"
    )
    option("--memory", action="store_true", help="keep nothing on disk")
    option("--fsync", default="os", metavar="os|always|TIME", help="when what is written must be on the disk (os)")
    option("--tls-cert", type=Path, metavar="FILE", help="encrypt; certificate and chain in PEM form")
    option("--tls-key", type=Path, metavar="FILE", help="the certificate's key in PEM form")
    option("--tls-client-ca", type=Path, metavar="FILE", help="clients must show a certificate of this authority")
    option("--accounts", type=Path, metavar="FILE", help='clients must log in; a line name = "password" for each')
    option("--sasl", default=",".join(MECHANISMS), metavar="LIST", help="how they log in (%(default)s)")
    option("--override", action="append", default=[], metavar="NAME=VALUE", help="a setting of Kafka's; repeatable")
    option("--users", type=Path, metavar="FILE", help="stop when nobody holds a lock on this file")
    return parser


def _settings(options: argparse.Namespace) -> ServerSettings:
    """Raises ConfigError and ValueError for what cannot be."""
    host, _, port = options.listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"--listen must be HOST:PORT, such as 127.0.0.1:9092, got {options.listen!r}")
    return ServerSettings(
        host,
        int(port),
        None if options.memory else options.data,
        options.users,
        BrokerSettings.of(options.override),
        _security(options),
        Fsync.parse(options.fsync),
    )


def _security(options: argparse.Namespace) -> Security:
    if (options.tls_cert is None) != (options.tls_key is None):
        raise ConfigError("--tls-cert and --tls-key belong together")
    if options.tls_client_ca is not None and options.tls_cert is None:
        raise ConfigError("--tls-client-ca needs --tls-cert and --tls-key")
    mechanisms = tuple(options.sasl.split(","))
    if unknown := set(mechanisms) - set(MECHANISMS):
        raise ConfigError(f"--sasl {sorted(unknown)[0]!r}: it takes {', '.join(MECHANISMS)}")
    tls = None if options.tls_cert is None else Tls(options.tls_cert, options.tls_key, options.tls_client_ca)
    if tls is not None:
        tls.context()
    accounts = None if options.accounts is None else read_accounts(options.accounts)
    return Security(tls, accounts, mechanisms)


def _warn_of_strangers(settings: ServerSettings) -> None:
    security = settings.security
    if _is_loopback(settings.host):
        return
    if security.accounts is None and (security.tls is None or security.tls.client_ca is None):
        _log.warning(
            "whoever reaches %s can read and write everything; ask for logins with --accounts FILE", settings.host
        )
    elif security.tls is None:
        _log.warning("what goes to and from %s can be read on the way; encrypt it with --tls-cert FILE", settings.host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _allow_many_files() -> None:
    """Each partition keeps a file open, each client a socket: use all that the system grants."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
