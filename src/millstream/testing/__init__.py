"""Test a program without a broker."""

from millstream.testing.driver import TestDriver
from millstream.testing.driving import drive
from millstream.testing.topics import InputTopic, OutputRecord, OutputTopic

__all__ = ["InputTopic", "OutputRecord", "OutputTopic", "TestDriver", "drive"]
