from __future__ import annotations

import pytest

from millstream.errors import StateError
from millstream.runtime.lifecycle import TRANSITIONS, Event, State, after


def test_the_way_of_a_task():
    state = State.CREATED
    for event in (Event.OPENED, Event.RESTORED, Event.RELEASE_ASKED, Event.CLOSED):
        state = after(state, event)
    assert state is State.CLOSED


@pytest.mark.parametrize("state", State)
def test_a_task_can_be_lost_at_any_time(state):
    assert after(state, Event.LOST) is State.CLOSED


@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
def test_every_state_can_be_left(state):
    assert any(origin is state and target is not state for (origin, _), target in TRANSITIONS.items())


def test_what_cannot_happen_is_an_error():
    with pytest.raises(StateError, match="created cannot be restored"):
        after(State.CREATED, Event.RESTORED)
