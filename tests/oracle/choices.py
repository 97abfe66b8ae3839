"""Random parameters of steps: functions, windows, aggregations, suppressions, processors."""

from __future__ import annotations

from random import Random
from typing import Any

Spec = dict[str, Any]

WINDOWED = "windowed(string)"
LETTERS = ("a", "b", "c", "x", "y", "")
KEYS: dict[str, tuple[Any, ...]] = {"string": ("a", "b", "c", "x", "y"), "long": (0, 1, 2, 3, -1)}


def predicate(random: Random, key: str, value: str) -> Spec:
    n = random.choice((2, 3, 4))
    found: list[Spec] = [
        {"name": "value_null"},
        {"name": "value_not_null"},
        {"name": "key_not_null"},
        {"name": random.choice(("always", "never"))},
    ]
    if key in KEYS:
        found.append({"name": "key_is", "key": random.choice(KEYS[key])})
    if value == "long":
        found += 3 * [{"name": "value_mod", "n": n, "r": random.randrange(n)}]
        found.append({"name": "value_at_least", "min": random.randint(-2, 8)})
    else:
        found += 3 * [{"name": "length_mod", "n": n, "r": random.randrange(n)}]
        found.append({"name": "value_starts_with", "prefix": random.choice(LETTERS)})
    return random.choice(found)


def value_function(random: Random, value: str) -> tuple[Spec, str]:
    found: list[tuple[Spec, str]] = [
        ({"name": "same"}, value),
        ({"name": "to_string"}, "string"),
        ({"name": "to_null"}, value),
        ({"name": "key_and_value"}, "string"),
    ]
    if value == "long":
        n = random.choice((2, 3, 4))
        found += [
            ({"name": "add", "n": random.randint(-3, 5)}, "long"),
            ({"name": "times", "n": random.choice((-1, 2, 10))}, "long"),
            ({"name": "null_if_mod", "n": n, "r": random.randrange(n)}, "long"),
            ({"name": "default", "value": random.randint(-1, 7)}, "long"),
        ]
    else:
        found += [
            ({"name": "append", "suffix": random.choice(("!", " z", "b c"))}, "string"),
            ({"name": "upper"}, "string"),
            ({"name": "length"}, "long"),
            ({"name": "null_if_prefix", "prefix": random.choice(LETTERS)}, "string"),
            ({"name": "default", "value": random.choice(("none", "a", ""))}, "string"),
        ]
    return random.choice(found)


def key_function(random: Random, key: str, value: str) -> tuple[Spec, str]:
    found: list[tuple[Spec, str]] = [
        ({"name": "same_key"}, key),
        ({"name": "value_key"}, value),
        ({"name": "text_key"}, "string"),
        ({"name": "const_key", "key": "k"}, "string"),
    ]
    if random.random() < 0.3:
        found.append(({"name": "null_key"}, "string"))
    if key == WINDOWED:
        found = [({"name": "window_key"}, "string"), ({"name": "inner_key"}, "string")] * 4 + found[1:]
    elif key == "string":
        found += 2 * [({"name": "key_first_char"}, "string")]
    if value == "string":
        found += 3 * [({"name": "first_char"}, "string")]
    else:
        found += 3 * [({"name": "mod_key", "n": random.choice((2, 3, 4))}, "string")]
    return random.choice(found)


def flat_function(random: Random, key: str, value: str, *, keys: bool) -> tuple[Spec, str, str]:
    found: list[tuple[Spec, str, str]] = [({"name": "twice"}, key, value)]
    if value == "string":
        found.append(({"name": "words"}, key, "string"))
        if keys:
            found.append(({"name": "words_by_word"}, "string", "long"))
    else:
        found.append(({"name": "upto", "n": random.choice((2, 3))}, key, "long"))
    return random.choice(found)


def joiner(random: Random, left: str, right: str, *, keyed: bool) -> tuple[Spec, str]:
    found: list[tuple[Spec, str]] = [
        ({"name": "concat"}, "string"),
        ({"name": "concat"}, "string"),
        ({"name": "left"}, left),
        ({"name": "right"}, right),
    ]
    if keyed:
        found.append(({"name": "concat_key"}, "string"))
    if left == right == "long":
        n = random.choice((2, 3))
        found += [({"name": "sum"}, "long"), ({"name": "sum_or_null", "n": n, "r": random.randrange(n)}, "long")]
    return random.choice(found)


# --- aggregations


def aggregator(random: Random, value: str, result: str) -> Spec:
    """Of records with `value`s, to an aggregate that is a `result`; the aggregate may be null."""
    keep = random.choice((5, 9, 14))
    if result == "string":
        found: list[Spec] = [{"name": "concat", "keep": keep}, {"name": "plus", "keep": keep}]
        found += [{"name": "last"}] if value == "string" else []
        return random.choice([*found, {"name": "first"}])
    if value == "string":
        return random.choice(({"name": "first"}, {"name": "nulls"}))
    n = random.choice((2, 3))
    return random.choice(
        (
            {"name": "sum"},
            {"name": "subtract"},
            {"name": "max"},
            {"name": "min"},
            {"name": "last"},
            {"name": "nulls"},
            {"name": "sum_or_null", "n": n, "r": random.randrange(n)},
        )
    )


def initial(random: Random, result: str) -> Any:
    return random.choice(("", "<", None) if result == "string" else (0, 1, 10))


def merger(random: Random, result: str) -> Spec:
    if result == "string":
        return random.choice(({"name": "concat", "keep": 14}, {"name": "plus", "keep": 9}, {"name": "last"}))
    return random.choice(({"name": "sum"}, {"name": "max"}, {"name": "sum_or_null", "n": 3, "r": 1}))


def reducer(random: Random, value: str) -> Spec:
    if value == "string":
        return random.choice(
            ({"name": "concat", "keep": 14}, {"name": "plus", "keep": 9}, {"name": "first"}, {"name": "last"})
        )
    return random.choice(
        (
            {"name": "sum"},
            {"name": "max"},
            {"name": "min"},
            {"name": "first"},
            {"name": "last"},
            {"name": "subtract"},
            {"name": "sum_or_null", "n": 3, "r": 1},
        )
    )


def aggregation(random: Random, op: str, value: str, *, sessions: bool) -> tuple[Spec, str]:
    if op == "count":
        return {}, "long"
    if op == "reduce":
        return {"fn": reducer(random, value)}, value
    result = random.choice(("string", "long"))
    fields: Spec = {"init": initial(random, result), "fn": aggregator(random, value, result)}
    if sessions:
        fields["merger"] = merger(random, result)
    return fields, result


def cogroup_end(random: Random, result: str, *, sessions: bool) -> Spec:
    return {"init": initial(random, result)} | ({"merger": merger(random, result)} if sessions else {})


def table_aggregation(random: Random, op: str, value: str) -> tuple[Spec, str]:
    if op == "count":
        return {}, "long"
    if op == "reduce":
        return {"fn": reducer(random, value), "subtractor": subtractor(random, value)}, value
    result = "string" if value == "string" else random.choice(("string", "long"))
    fn = aggregator(random, value, result)
    return {"init": initial(random, result), "fn": fn, "subtractor": subtractor(random, result)}, result


def subtractor(random: Random, result: str) -> Spec:
    if result == "string":
        return random.choice(({"name": "minus", "keep": 14}, {"name": "first"}))
    return random.choice(({"name": "subtract"}, {"name": "subtract"}, {"name": "sum_or_null", "n": 3, "r": 0}))


# --- windows


def window(random: Random, *, wild: bool) -> Spec:
    kind = random.choices(("tumbling", "hopping", "sliding", "session", "unlimited"), (4, 3, 4, 4, 1))[0]
    grace = {"grace_ms": random.choice((0, 1, 5, 20, 100))} if random.random() < 0.6 else {}
    if wild and random.random() < 0.1:
        grace = {"grace_ms": -1}
    size = random.choice((1, 5, 10, 20, 30))
    if wild and random.random() < 0.1:
        size = random.choice((0, -1))
    match kind:
        case "tumbling":
            return {"type": kind, "size_ms": size, **grace}
        case "hopping":
            advance = max(1, min(size, random.choice((1, 2, 3, 5, 7, 10))))
            return {"type": kind, "size_ms": size, "advance_ms": advance, **grace}
        case "sliding":
            return {"type": kind, "difference_ms": size, **grace}
        case "session":
            return {"type": kind, "gap_ms": size, **grace}
        case _:
            return {"type": kind} | ({"start_ms": random.choice((0, 10, 50))} if random.random() < 0.7 else {})


def span(of: Spec) -> int:
    """How long a window's store keeps it at least."""
    grace = of.get("grace_ms", 0)
    match of["type"]:
        case "sliding":
            return int(2 * of["difference_ms"] + grace)
        case "session":
            return int(of["gap_ms"] + grace)
        case "unlimited":
            return 0
        case _:
            return int(of["size_ms"] + grace)


def retention(random: Random, of: Spec, *, wild: bool) -> int:
    least = span(of)
    if wild and random.random() < 0.2:
        return max(0, least - 1)
    return least + random.choice((0, 1, 10, 100, 1000))


def join_window(random: Random, *, wild: bool) -> Spec:
    grace = {"grace_ms": random.choice((0, 1, 5, 20))} if random.random() < 0.6 else {}
    if random.random() < 0.4:
        return {"difference_ms": random.choice((0, 1, 5, 10, 20)), **grace}
    before = random.choice((0, 1, 5, 10, 20, -3 if wild or random.random() < 0.3 else 3))
    after = random.choice((5, 10, 20, 4, -2 if before > 2 and random.random() < 0.3 else 0))
    return {"before_ms": before, "after_ms": after, **grace}


def suppression(random: Random, *, closes: bool, wild: bool) -> Spec:
    bounds: Spec = {}
    if random.random() < 0.4:
        bounds["max_records"] = random.choice((1, 2, 3, 5))
    if random.random() < 0.2:
        bounds["max_bytes"] = random.choice((60, 100, 200, 400))
    if (closes and random.random() < 0.7) or (wild and random.random() < 0.1):
        return {"until": "window_closes", **(bounds if random.random() < 0.3 else {})}
    if bounds and random.random() < 0.2:
        bounds["full"] = "shut_down"
    return {"until": "time_limit", "limit_ms": random.choice((0, 1, 5, 10, 30, 100)), **bounds}


# --- processors


def processor(random: Random, types: tuple[str, str], stores: list[str], own: str, op: str) -> tuple[Spec, str, str]:
    """The processor, and the types of what it forwards."""
    key, value = types
    every = random.choice((5, 10, 30))
    found: list[tuple[Spec, str, str]] = [
        ({"name": "running_count", "store": own}, key, "long"),
        ({"name": "dedup", "store": own}, key, value),
        ({"name": "twice"}, key, value),
        ({"name": "meta"}, key, "string"),
        ({"name": "stream_time"}, key, "long"),
    ]
    found += [({"name": "lookup", "store": store}, key, "string") for store in stores]
    if op == "process":
        wall = {"name": "wall_counter", "every_ms": random.choice((50, 100, 700))}
        found += [
            ({"name": "stream_counter", "every_ms": every}, "string", "long"),
            ({"name": "stream_counter_once", "every_ms": every}, "string", "long"),
            (wall, "string", "long"),
            ({"name": "hold", "store": own, "every_ms": every}, key, value),
            ({"name": "route", "children": [f"{own}-{n}" for n in range(random.randint(1, 3))]}, key, value),
        ]
    return random.choice(found)
