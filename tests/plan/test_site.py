"""Where in the user's program an operator stands."""

from __future__ import annotations

from pathlib import Path

import millstream
from millstream.plan.site import CallSite


def test_a_neighbour_whose_name_begins_alike_is_the_users_own() -> None:
    """A folder `millstream_app` beside the package is not the package."""
    folder = Path(millstream.__file__).parent
    code = compile("from millstream.plan.site import call_site\nfound = call_site('x')", f"{folder}_app/x.py", "exec")
    scope: dict[str, CallSite] = {}
    exec(code, scope)
    assert scope["found"].line == 2
    assert scope["found"].file.endswith("millstream_app/x.py")
