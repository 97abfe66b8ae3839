from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from millstream.errors import AddressInUseError, ConfigError
from millstream.service.http import Answer, of_application, serving


def ask(url: str, *, post: bool = False) -> tuple[int, object]:
    request = urllib.request.Request(f"http://{url}", data=b"" if post else None)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def fail(_: object) -> Answer:
    raise ValueError("no")


@pytest.fixture
def address() -> Iterator[str]:
    reads = {"/echo": lambda parameters: Answer.of(dict(parameters)), "/fails": fail}
    with serving("127.0.0.1:0", reads, {"/do": lambda _: Answer.of("done", 202)}) as found:
        yield found


def test_a_route_is_given_its_parameters(address):
    assert ask(f"{address}/echo?a=1&b=x%20y") == (200, {"a": "1", "b": "x y"})


def test_get_and_post_have_routes_of_their_own(address):
    assert ask(f"{address}/do", post=True) == (202, "done")
    assert ask(f"{address}/do")[0] == 404
    assert ask(f"{address}/nothing") == (404, {"error": "there is nothing at /nothing; there is: /echo /fails"})


def test_a_route_that_fails_does_not_end_the_server(address):
    assert ask(f"{address}/fails") == (500, {"error": "ValueError: no"})
    assert ask(f"{address}/echo")[0] == 200


def test_a_port_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(AddressInUseError, match="end what has the port"), serving(address, {}):
            pass


def test_an_address_that_is_not_this_machines_is_told():
    with pytest.raises(ConfigError, match="cannot listen there") as told, serving("192.0.2.1:0", {}):
        pass
    assert not told.value.retriable


def test_a_question_to_another_application_is_refused():
    route = of_application("qos", {"/do": lambda _: Answer.of("done")})["/do"]
    assert (route({}).status, route({"application": "qos"}).status) == (200, 200)
    refused = route({"application": "other"})
    assert refused.status == 421
    assert json.loads(refused.body) == {
        "error": "a worker of 'qos' answers here, none of 'other'",
        "reason": "migrated",
    }
