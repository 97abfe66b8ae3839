"""The functions that cases name, as their format defines them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import millstream as ms

Spec = dict[str, Any]


def text(x: Any) -> str:
    if isinstance(x, ms.Windowed):
        return f"{x.key}@{x.window.start}/{x.window.end}"
    return "null" if x is None else str(x)


def predicate(fn: Spec) -> Callable[[Any, Any], bool]:
    match fn["name"]:
        case "value_mod":
            return lambda _k, v: v is not None and v % fn["n"] == fn["r"]
        case "value_at_least":
            return lambda _k, v: v is not None and v >= fn["min"]
        case "length_mod":
            return lambda _k, v: v is not None and len(v) % fn["n"] == fn["r"]
        case "value_starts_with":
            return lambda _k, v: v is not None and v.startswith(fn["prefix"])
        case "value_null":
            return lambda _k, v: v is None
        case "value_not_null":
            return lambda _k, v: v is not None
        case "key_not_null":
            return lambda k, _v: k is not None
        case "key_is":
            return lambda k, _v: k == fn["key"]
        case "always" | "never" as name:
            return lambda _k, _v: name == "always"
        case name:
            raise ValueError(name)


def value_function(fn: Spec) -> Callable[[Any, Any], Any]:
    match fn["name"]:
        case "to_null":
            return lambda _k, _v: None
        case "default":
            return lambda _k, v: fn["value"] if v is None else v
        case "key_and_value":
            return lambda k, v: f"{text(k)}={text(v)}"
    of_value = _of_value(fn)
    return lambda _k, v: None if v is None else of_value(v)


def _of_value(fn: Spec) -> Callable[[Any], Any]:
    match fn["name"]:
        case "same":
            return lambda v: v
        case "append":
            return lambda v: v + fn["suffix"]
        case "upper":
            return lambda v: v.upper()
        case "length":
            return len
        case "add":
            return lambda v: v + fn["n"]
        case "times":
            return lambda v: v * fn["n"]
        case "to_string":
            return text
        case "null_if_mod":
            return lambda v: None if v % fn["n"] == fn["r"] else v
        case "null_if_prefix":
            return lambda v: None if v.startswith(fn["prefix"]) else v
        case name:
            raise ValueError(name)


def key_function(fn: Spec) -> Callable[[Any, Any], Any]:
    match fn["name"]:
        case "same_key":
            return lambda k, _v: k
        case "value_key":
            return lambda _k, v: v
        case "null_key":
            return lambda _k, _v: None
        case "text_key":
            return lambda _k, v: None if v is None else text(v)
        case "first_char":
            return lambda _k, v: None if v is None else v[:1]
        case "key_first_char":
            return lambda k, _v: None if k is None else k[:1]
        case "mod_key":
            return lambda _k, v: None if v is None else f"m{v % fn['n']}"
        case "const_key":
            return lambda _k, _v: fn["key"]
        case "window_key":
            return lambda k, _v: text(k)
        case "inner_key":
            return lambda k, _v: k.key
        case name:
            raise ValueError(name)


def flat_function(fn: Spec) -> Callable[[Any, Any], list[tuple[Any, Any]]]:
    match fn["name"]:
        case "words":
            return lambda k, v: [] if v is None else [(k, word) for word in v.split(" ")]
        case "words_by_word":
            return lambda _k, v: [] if v is None else [(word, len(word)) for word in v.split(" ")]
        case "twice":
            return lambda k, v: [] if v is None else [(k, v), (k, v)]
        case "upto":
            return lambda k, v: [] if v is None else [(k, n) for n in range(v % fn["n"])]
        case name:
            raise ValueError(name)


class TopicByKey:
    """The topic is a prefix and the key's text."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def __repr__(self) -> str:
        return f"TopicByKey[prefix={self.prefix}]"

    def __call__(self, key: Any, _value: Any) -> str:
        return self.prefix + text(key)


def joiner(fn: Spec) -> Callable[[Any, Any, Any], Any]:
    match fn["name"]:
        case "concat":
            return lambda _k, left, right: f"{text(left)}|{text(right)}"
        case "concat_key":
            return lambda k, left, right: f"{text(k)}:{text(left)}|{text(right)}"
        case "sum":
            return lambda _k, left, right: (left or 0) + (right or 0)
        case "sum_or_null":
            return lambda _k, left, right: _null_if_mod((left or 0) + (right or 0), fn)
        case "left":
            return lambda _k, left, _right: left
        case "right":
            return lambda _k, _left, right: right
        case name:
            raise ValueError(name)


def aggregator(fn: Spec) -> Callable[[Any, Any, Any], Any]:
    """A function of (key, value, aggregate)."""
    match fn["name"]:
        case "sum":
            return lambda _k, v, agg: (agg or 0) + (v or 0)
        case "subtract":
            return lambda _k, v, agg: (agg or 0) - (v or 0)
        case "max" | "min" as name:
            choose = max if name == "max" else min
            return lambda _k, v, agg: agg if v is None else v if agg is None else choose(agg, v)
        case "sum_or_null":
            return lambda _k, v, agg: _null_if_mod((agg or 0) + (v or 0), fn)
        case "concat":
            return lambda _k, v, agg: _last((agg or "") + text(v), fn)
        case "plus":
            return lambda _k, v, agg: _last((agg or "") + "+" + text(v), fn)
        case "minus":
            return lambda _k, v, agg: _last((agg or "") + "-" + text(v), fn)
        case "first":
            return lambda _k, _v, agg: agg
        case "last":
            return lambda _k, v, _agg: v
        case "nulls":
            return lambda _k, v, agg: agg + (v is None)
        case name:
            raise ValueError(name)


def extractor(name: str) -> Callable[..., int]:
    def after_at(_key: Any, value: Any, recorded: int, _partition_time: int) -> int:
        return int(value.rpartition("@")[2]) if value is not None and "@" in value else recorded

    def after_at_or_partition_time(_key: Any, value: Any, _recorded: int, partition_time: int) -> int:
        return int(value.rpartition("@")[2]) if value is not None and "@" in value else partition_time

    def value_ms(_key: Any, value: Any, recorded: int, _partition_time: int) -> int:
        return recorded if value is None else value

    known: dict[str, Callable[..., int]] = {
        "after_at": after_at,
        "after_at_or_partition_time": after_at_or_partition_time,
        "value_ms": value_ms,
    }
    return known[name]


def _null_if_mod(total: int, fn: Spec) -> int | None:
    return None if total % fn["n"] == fn["r"] else total


def _last(joined: str, fn: Spec) -> str:
    return joined[-fn["keep"] :] if "keep" in fn else joined
