from __future__ import annotations

import json
import logging
import sys

from millstream.service.logs import JsonFormatter


def test_an_exception_is_on_the_same_line():
    try:
        raise ValueError("bad")
    except ValueError:
        record = logging.LogRecord("millstream.runtime", logging.ERROR, "f", 1, "it %s", ("failed",), sys.exc_info())
    line = JsonFormatter().format(record)
    told = json.loads(line)
    assert "\n" not in line
    assert (told["level"], told["logger"], told["message"]) == ("ERROR", "millstream.runtime", "it failed")
    assert told["exception"].endswith("ValueError: bad")


def test_what_is_given_beside_the_message_is_told_whatever_its_type():
    record = logging.makeLogRecord({"msg": "x", "partition": 3, "what": object})
    assert json.loads(JsonFormatter().format(record)).items() >= {"partition": 3, "what": "<class 'object'>"}.items()
