"""The line of the user's program that a node comes from (`millstream.site`)."""

from millstream.site import CallSite, call_site

__all__ = ["CallSite", "call_site"]
