"""Test a program without a broker."""

from millstream.testing.driver import OutputRecord, TestDriver

__all__ = ["OutputRecord", "TestDriver"]
