"""Pairs of rulesets that are asked about the same events."""

from typing import Any

from tests.unit.language.lint_corpus.words import (
    Pair,
    both,
    case,
    either,
    eq,
    ge,
    gt,
    le,
    lt,
    months,
    ne,
    no,
    op,
    rule,
    table,
    v,
    within,
)

Documents = list[dict[str, Any]]


def named(number: int, when: Any, *, first: str | None = None, last: str | None = None, **parts: Any) -> dict[str, Any]:
    """One ruleset of the program, with a condition and a period."""
    condition = {} if when is None else {"when": when}
    found = rule(parts.pop("points", 1), **condition, **parts)
    return {
        "id": f"acme.{number}",
        "partner": "acme",
        "program": "uniform",
        "effective": {"from": first, "to": last},
        **found,
    }


def two(left: Any, right: Any, **parts: Any) -> Documents:
    """Two rulesets that differ by their conditions."""
    return [named(1, left, **parts), named(2, right, **parts)]


def dated(*periods: tuple[str | None, str | None]) -> Documents:
    """Rulesets that differ by their periods."""
    return [
        named(number, eq(v("event"), "HOURS"), first=first, last=last) for number, (first, last) in enumerate(periods)
    ]


def of_events(*values: list[str]) -> Documents:
    """Rulesets that declare other events."""
    return [
        named(number, None, points=case(v("paid"), 1, 2), inputs={"event": {"type": "enum", "values": one}})
        for number, one in enumerate(values)
    ]


SERVICE = {"let": {"service": months()}}
TIERS = {"tables": {"t": table(["level"], ["[1,3]", "low"], ["[4,5]", "high"], out="band")}}
BAND = {"table": ["t", "band"]}

CONFLICTING_RULESETS = [
    Pair(title, planted, "/1", clean)
    for title, planted, clean in (
        ("without a condition", two(None, None), dated(("2026-01-01", "2026-06-30"), ("2026-07-01", None))),
        (
            "the same condition",
            two(eq(v("event"), "HOURS"), eq(v("event"), "HOURS")),
            two(eq(v("event"), "HOURS"), eq(v("event"), "SPEND")),
        ),
        (
            "one value in both lists",
            two(within(v("event"), "HOURS", "BONUS"), within(v("event"), "SPEND", "BONUS")),
            two(within(v("event"), "HOURS", "BONUS"), within(v("event"), "SPEND", "ANNIVERSARY")),
        ),
        ("ranges that share a bound", two(le(v("age"), 30), ge(v("age"), 30)), two(lt(v("age"), 30), ge(v("age"), 30))),
        (
            "other fields",
            two(eq(v("event"), "HOURS"), v("paid")),
            two(eq(v("event"), "HOURS"), both(v("paid"), ne(v("event"), "HOURS"))),
        ),
        ("one has no condition", two(None, v("paid")), two(no(v("paid")), v("paid"))),
        (
            "a day in both periods",
            dated(("2026-01-01", "2026-07-01"), ("2026-07-01", None)),
            dated(("2026-01-01", "2026-06-30"), ("2026-07-01", None)),
        ),
        (
            "open periods",
            dated(("2026-01-01", None), ("2027-01-01", None)),
            dated(("2026-01-01", "2026-12-31"), ("2027-01-01", None)),
        ),
        (
            "service that both take",
            two(ge(v("service"), 6), ge(v("service"), 24), **SERVICE),
            two(lt(v("service"), 24), ge(v("service"), 24), **SERVICE),
        ),
        (
            "service in other words",
            two(lt(months(), 24), ge(v("service"), 12), **SERVICE),
            two(lt(months(), 24), ge(v("service"), 24), **SERVICE),
        ),
        (
            "events that both declare",
            of_events(["HOURS", "SPEND"], ["SPEND", "BONUS"]),
            of_events(["HOURS"], ["SPEND"]),
        ),
        (
            "bands of one table",
            two(eq(BAND, "low"), ne(BAND, "high"), **TIERS),
            two(eq(BAND, "low"), eq(BAND, "high"), **TIERS),
        ),
        (
            "who left and who has not",
            two(eq(v("left"), None), either(ne(v("left"), None), v("paid"))),
            two(eq(v("left"), None), ne(v("left"), None)),
        ),
        (
            "comparing two fields",
            two(lt(v("hired"), v("booked")), le(v("hired"), v("booked"))),
            two(lt(v("hired"), v("booked")), ge(v("hired"), v("booked"))),
        ),
        (
            "halves of a negation",
            two(both(v("paid"), v("union")), either(v("paid"), v("union"))),
            two(both(v("paid"), v("union")), no(both(v("paid"), v("union")))),
        ),
        (
            "the same id",
            [{**one, "id": "acme.hours", "program": f"p{place}"} for place, one in enumerate(two(v("paid"), None))],
            [{**one, "program": f"p{place}"} for place, one in enumerate(two(v("paid"), None))],
        ),
        (
            "sums of two fields",
            two(gt(op("+", v("hours"), v("amount")), 10), gt(v("hours"), 5)),
            two(gt(op("+", v("hours"), v("amount")), 10), both(lt(v("hours"), 5), lt(v("amount"), 5))),
        ),
        ("other partners", two(None, v("paid")), [named(1, None), {**named(2, v("paid")), "partner": "globe"}]),
    )
]
