"""When the outputs of two engines count as the same answers."""

from __future__ import annotations

from benchmarks.outputs import summary


def test_members_in_another_order_and_numbers_written_otherwise_are_the_same() -> None:
    one = summary([(b"k", b'{"a":1,"b":4.5e6}')], "every")
    assert one.same_as(summary([(b"k", b'{"b": 4500000.0, "a": 1}')], "every"))


def test_another_value_or_another_key_is_not_the_same() -> None:
    one = summary([(b"k", b'{"a":1}')], "every")
    assert not one.same_as(summary([(b"k", b'{"a":2}')], "every"))
    assert not one.same_as(summary([(b"l", b'{"a":1}')], "every"))


def test_every_output_counts_as_often_as_it_is_there_in_any_order() -> None:
    records = [(b"k", b"1"), (b"k", b"2"), (b"l", b"1")]
    one = summary(records, "every")
    assert one.same_as(summary(records[::-1], "every"))
    assert not one.same_as(summary([*records, records[0]], "every"))
    assert not one.same_as(summary([records[0], records[0], records[2]], "every"))


def test_two_equal_outputs_do_not_cancel_each_other() -> None:
    assert summary([(b"k", b"1")] * 2, "every").digest != summary([(b"l", b"1")] * 2, "every").digest


def test_only_the_last_update_of_a_key_counts_where_updates_may_be_left_out() -> None:
    many = summary([(b"k", b"1"), (b"l", b"1"), (b"k", b"2")], "last")
    few = summary([(b"k", b"2"), (b"l", b"1")], "last")
    assert many.same_as(few)
    assert (many.written, few.written, many.answers) == (3, 2, 2)
    assert not many.same_as(summary([(b"k", b"2"), (b"k", b"1"), (b"l", b"1")], "last"))


def test_key_and_value_are_told_apart() -> None:
    assert not summary([(b"1", b"12")], "every").same_as(summary([(b"11", b"2")], "every"))


def test_a_key_whose_last_update_deleted_it_is_no_answer() -> None:
    merged = summary([(b"k", b"1"), (b"k", b"null"), (b"l", b"2")], "last")
    assert merged.same_as(summary([(b"l", b"2")], "last"))
