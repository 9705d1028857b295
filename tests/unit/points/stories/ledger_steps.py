"""What people and systems do to points, chosen by chance: what the hub is asked, and the same said plainly."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sqlalchemy import select

from chalicelib.access.caller import Caller
from chalicelib.partners.provenance import RowSource
from chalicelib.points.corrections import adjustments, annulling, taking_back
from chalicelib.points.corrections.reversals import Why
from chalicelib.points.earning import openings
from chalicelib.points.models.ledger import accrual_event, opening_balance, reversal
from chalicelib.points.spending import hold_sweeper, holds
from chalicelib.points.spending.refunds import Wanted
from chalicelib.points.terms import increases
from chalicelib.storage.ids import new_id
from tests.factories import points
from tests.factories.points import CALLER
from tests.unit.points.stories.ledger_story import FIRST, LIFE, Key, Step, Story
from tests.unit.points.stories.reference_ledger import Refused

OTHER = Caller("key_00000000000000000000000002", "test-second-person")
WRONG = Why("rollback", "a wrong file", CALLER)
#: A tenth of a unit earns so many points.
TENTH = 15


def some(story: Story, random: Random) -> Key:
    """An account; the first one more often, so that its story is a long one."""
    keys = list(story.of)
    return keys[0] if random.random() < 0.5 else random.choice(keys)


def amount(random: Random) -> int:
    return random.choice([random.randint(1, 60), random.randint(1, 900)])


def earn(story: Story, random: Random) -> Step:
    """A file of some rows, each of another account."""
    rows = {}
    for key in {some(story, random) for _ in range(random.choice([1, 1, 3]))}:
        name, tenths, ago = next(story.numbers), random.randint(1, 40), random.randint(0, LIFE + 2)
        rows[key] = name, tenths, story.today - ago
    file_id = new_id()

    def real(db, now):
        events = [
            points.event(
                event_id=f"event-{name}",
                program_code=key[1],
                employee_id=key[0],
                quantity=Decimal(tenths) / 10,
                event_date=FIRST + timedelta(days=day),
            )
            for key, (name, tenths, day) in rows.items()
        ]
        sources = [RowSource(file_id, number, 0, 1) for number in range(1, len(events) + 1)]
        partner = story.of["E1", "uniform"].partner
        return dict(zip(rows, points.record(db, partner, events, sources=sources, now=now), strict=True))

    def plain(name, tenths, day):
        return lambda reference, _: reference.earn(name, day, day + LIFE, tenths * TENTH)

    def keep(made):
        posted = {key: each for key, each in made.items() if each.outcome == "posted"}
        story.events += [(key, rows[key][0], each.id) for key, each in posted.items()]
        story.files.append(("events", [(key, rows[key][0], each.id) for key, each in posted.items()]))

    return Step(
        "earn",
        real,
        {key: plain(*row) for key, row in rows.items()},
        keep,
        lambda made: {key for key, each in made.items() if each.outcome == "rejected"},
    )


def bring_over(story: Story, random: Random) -> Step:
    """A balance of the system before."""
    key, name, given, ago = some(story, random), next(story.numbers), amount(random), random.randint(0, 3)
    day = story.today - ago
    last_day = random.choice([None, day + random.randint(0, 9)])

    def real(db, now):
        row = openings.OpeningRow(
            program_code=key[1],
            employee_id=key[0],
            balance_points=Decimal(given) / 100,
            as_of=FIRST + timedelta(days=day),
            lot_expiry=None if last_day is None else FIRST + timedelta(days=last_day),
            legacy_ref=f"old-{name}",
        )
        source = RowSource(new_id(), 1, 0, 1)
        [told] = openings.record(db, story.of[key].partner, [row], sources=[source], caller=CALLER, now=now)
        return told, db.execute(
            select(opening_balance.c.id).where(opening_balance.c.legacy_ref == f"old-{name}")
        ).scalar_one_or_none()

    def plain(reference, made):
        del made
        if reference.last_day is not None and day > reference.last_day:
            raise Refused
        reference.give(name, day + LIFE if last_day is None else last_day, given, "opening")

    def keep(made):
        if made[1]:
            story.files.append(("openings", [(key, name, made[1])]))

    return Step("bring_over", real, {key: plain}, keep, lambda made: set() if made[1] else {key})


def adjust(story: Story, random: Random) -> Step:
    key, name, given = some(story, random), next(story.numbers), amount(random) * random.choice([1, -1])
    return Step(
        "adjust",
        lambda db, now: points.adjust(db, story.of[key], given, now=now),
        {key: lambda reference, _: reference.ask(name, given)},
        lambda made: (
            story.asked.append((key, name, made.id)),
            story.files.append(("adjustments", [(key, name, made.id)])),
        ),
    )


def decide(story: Story, random: Random) -> Step | None:
    if not story.asked:
        return None
    key, name, asked = random.choice(story.asked)
    approve = random.random() < 0.7

    def real(db, now):
        how: dict[str, Any] = {"comment": None, "caller": OTHER, "now": now}
        return adjustments.decide(db, story.of[key].program, asked, approve=approve, **how)

    return Step("decide", real, {key: lambda reference, _: reference.decide(name, approve=approve)})


def increase(story: Story, random: Random) -> Step:
    key, name, given = some(story, random), next(story.numbers), amount(random)

    def real(db, now):
        of = story.of[key]
        made, _ = increases.request(
            db, of.program, of.member.id, given, reference=f"more-{name}", reason="a test", caller=CALLER, now=now
        )
        return increases.decide(db, of.program, made.id, approve=True, comment=None, caller=OTHER, now=now)

    def plain(reference, made):
        del made
        if not reference.employed:
            raise Refused
        reference.gain(reference.today + LIFE, given, "issuance")

    return Step("increase", real, {key: plain})


def hold(story: Story, random: Random) -> Step:
    key, name, given = some(story, random), next(story.numbers), amount(random)
    days = random.choice([None, 2])
    ends = None if days is None else story.today + days
    return Step(
        "hold",
        lambda db, now: points.hold(db, story.of[key], given, now=now, ttl_s=days and days * 86_400),
        {key: lambda reference, _: reference.hold(name, given)},
        lambda made: story.placed.append((key, name, made.id, ends)),
    )


def capture(story: Story, random: Random) -> Step | None:
    if not story.placed:
        return None
    key, name, placed, ends = random.choice(story.placed)
    sale, taken = next(story.numbers), amount(random)

    def plain(reference, made):
        del made
        if ends is not None and ends <= reference.today:
            raise Refused
        reference.capture(name, sale, [taken])

    return Step(
        "capture",
        lambda db, now: points.capture(db, story.of[key], holds.by_id(db, placed), taken, now=now),
        {key: plain},
        lambda made: story.sold.append((key, sale, made, ["all"])),
    )


def release(story: Story, random: Random) -> Step | None:
    if not story.placed:
        return None
    key, name, placed, _ = random.choice(story.placed)
    given_back = amount(random)
    return Step(
        "release",
        lambda db, now: holds.release(db, placed, given_back, caller=CALLER, now=now),
        {key: lambda reference, _: reference.release(name, given_back)},
    )


def redeem(story: Story, random: Random) -> Step:
    key, sale = some(story, random), next(story.numbers)
    lines = [amount(random) for _ in range(random.randint(1, 3))]
    return Step(
        "redeem",
        lambda db, now: points.redeem(db, story.of[key], *lines, now=now),
        {key: lambda reference, _: reference.redeem(sale, lines)},
        lambda made: story.sold.append((key, sale, made, [str(number + 1) for number in range(len(lines))])),
    )


def refund(story: Story, random: Random) -> Step | None:
    if not story.sold:
        return None
    key, sale, sold, lines = random.choice(story.sold)
    parts = {number: amount(random) for number in range(len(lines)) if random.random() < 0.6} or {0: amount(random)}
    wanted = [Wanted(lines[number], part) for number, part in parts.items()]
    return Step(
        "refund",
        lambda db, now: points.refund(db, story.of[key], sold, *wanted, now=now),
        {key: lambda reference, _: reference.refund(sale, parts)},
    )


def reverse(story: Story, random: Random) -> Step | None:
    if not story.events:
        return None
    key, name, event_id = random.choice(story.events)
    part = next(story.numbers)

    def real(db, now):
        return points.reverse_event(db, story.of[key], event_id, now=now)

    return Step("reverse", real, {key: lambda reference, _: reference.reverse(part, name)})


def correct(story: Story, random: Random) -> Step | None:
    """The sender says that it was less."""
    if not story.events:
        return None
    key, name, event_id = random.choice(story.events)
    part, tenths = next(story.numbers), random.randint(1, 30)

    def real(db, now):
        of = accrual_event.c
        found = db.execute(select(of.event_id, of.event_type, of.event_date).where(of.id == event_id)).one()
        event = points.event(
            event_id=f"correction-{part}",
            program_code=key[1],
            employee_id=key[0],
            event_type=found.event_type,
            event_date=found.event_date,
            quantity=Decimal(-tenths) / 10,
            unit="POINT" if found.event_type == "ALLOWANCE" else "HOUR",
            reference=found.event_id,
        )
        [told] = points.record(db, story.of[key].partner, [event], now=now)
        own = select(reversal.c.id).where(reversal.c.event_id == f"correction-{part}")
        return told, db.execute(own).scalar_one_or_none()

    return Step(
        "correct",
        real,
        {key: lambda reference, _: reference.correct(part, name, tenths * TENTH)},
        lambda made: story.corrections.append((key, part, made[1])) if made[1] else None,
        lambda made: {key} if made[0].outcome == "rejected" else set(),
    )


def undo(story: Story, random: Random) -> Step | None:
    """The file of a correction was wrong."""
    if not story.corrections:
        return None
    key, part, made_id = random.choice(story.corrections)

    def real(db, now):
        return taking_back.corrections(db, [made_id], WRONG, of_program=story.programs(), now=now)

    return Step("undo", real, {key: lambda reference, _: reference.undo(part)})


def roll_back(story: Story, random: Random) -> Step | None:
    """A file was wrong."""
    if not story.files:
        return None
    kind, records = random.choice(story.files)
    part = next(story.numbers)
    take: Callable[..., Any] = {
        "events": taking_back.events,
        "openings": annulling.openings,
        "adjustments": annulling.adjustments,
    }[kind]

    def real(db, now):
        return take(db, [each for *_, each in reversed(records)], WRONG, of_program=story.programs(), now=now)

    return Step(
        f"roll back {kind}",
        real,
        {
            key: lambda reference, _, name=name: reference.forget(part, name)  # type: ignore[misc]
            for key, name, _ in records
        },
    )


def sweep(story: Story, random: Random) -> Step:
    """Holds whose time is over are released."""
    del random

    def plain(key):
        def swept(reference, made):
            del made
            over = [name for of, name, _, ends in story.placed if of == key and _over(ends, reference)]
            over += [name for name, each in reference.carts.items() if _over(each.ends, reference)]
            for name in over:
                if reference.holds.get(name):
                    reference.release(name, reference.holds[name])

        return swept

    return Step(
        "sweep",
        lambda db, now: hold_sweeper.release_due(db, now=now),
        {key: plain(key) for key in story.of},
        as_due=True,
    )


def _over(ends, reference) -> bool:
    return ends is not None and ends <= reference.today


#: What may be done at any time, by several at once.
STEPS: tuple[Callable[[Story, Random], Step | None], ...] = (
    earn, earn, bring_over, adjust, decide, increase, hold, capture, release, redeem, redeem, refund, refund,
    reverse, correct, undo, roll_back, sweep,
)  # fmt: skip
