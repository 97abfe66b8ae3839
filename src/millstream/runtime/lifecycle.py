"""The states of a task that a worker holds, and what leads from one to the next."""

from __future__ import annotations

from enum import Enum

from millstream.errors import StateError


class State(Enum):
    """Where a task is. Only a running one processes, only a closed one may be forgotten."""

    CREATED = "created"  # given by the group; waits until global tables are read
    RESTORING = "restoring"  # its stores are read from their changelogs
    RUNNING = "running"
    CLOSING = "closing"  # to be committed, if it ran, and closed
    CLOSED = "closed"


class Event(Enum):
    """What happens to a task."""

    OPENED = "opened"
    RESTORED = "restored"
    RELEASE_ASKED = "release asked"  # by the group, or because the worker stops
    CLOSED = "closed"
    LOST = "lost"  # another worker has it already: nothing may be committed


_LOSSES = {(state, Event.LOST): State.CLOSED for state in State}

TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.CREATED, Event.OPENED): State.RESTORING,
    (State.RESTORING, Event.RESTORED): State.RUNNING,
    (State.CREATED, Event.RELEASE_ASKED): State.CLOSING,
    (State.RESTORING, Event.RELEASE_ASKED): State.CLOSING,
    (State.RUNNING, Event.RELEASE_ASKED): State.CLOSING,
    (State.CLOSING, Event.RELEASE_ASKED): State.CLOSING,
    (State.CLOSING, Event.CLOSED): State.CLOSED,
    **_LOSSES,
}


def after(state: State, event: Event) -> State:
    """The state that follows; raises StateError for an event that cannot happen there.

    >>> after(State.RESTORING, Event.RESTORED).value
    'running'
    """
    following = TRANSITIONS.get((state, event))
    if following is None:
        raise StateError(f"a task that is {state.value} cannot be {event.value}")
    return following
