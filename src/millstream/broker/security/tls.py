"""TLS for the broker's port."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM form: the broker's certificate (with its chain) and key, and whose certificates clients must show.

    Without `client_ca` clients need no certificate.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or newer. Raises ValueError for files that are missing or don't fit each other."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"certificate {self.certificate} with key {self.key} cannot be used: {error}") from error
        if self.client_ca is not None:
            try:
                context.load_verify_locations(self.client_ca)
            except (OSError, ssl.SSLError) as error:
                raise ValueError(f"the client certificates' authority {self.client_ca}: {error}") from error
            context.verify_mode = ssl.CERT_REQUIRED
        return context
