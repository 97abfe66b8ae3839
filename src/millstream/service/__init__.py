"""What a running worker tells and answers: metrics, health and status over HTTP; logs as JSON."""

from millstream.service.logs import log_as_json
from millstream.service.worker_service import worker_service

__all__ = ["log_as_json", "worker_service"]
