"""A group looked at from outside, by the simulated client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from millstream.client.contract import Member
from tests.simulator import requests
from tests.simulator.assignor import assigned
from tests.simulator.host import Process


class SimulatedGroupView:
    def __init__(self, process: Process, group: str) -> None:
        self._connection = process.connect("view")
        self._group = group
        self._waiting = False
        self._members: Sequence[Member] | None = None

    def ask(self) -> None:
        if not self._waiting:
            self._waiting = True
            self._connection.ask(*requests.describe_group(self._group), self._answered)

    def members(self) -> Sequence[Member] | None:
        members, self._members = self._members, None
        return members

    def close(self) -> None:
        self._connection.close()

    def _answered(self, answer: Any) -> None:
        self._waiting = False
        if answer is None or (group := answer.groups[0]).group_state != "Stable":
            return
        self._members = [
            Member(each.member_id, each.client_id, frozenset(assigned(each.member_assignment)))
            for each in group.members
        ]
