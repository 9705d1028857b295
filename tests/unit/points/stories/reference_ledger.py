"""One member's points in one program, as plainly as the domain says it: what the ledger must agree with.

Days are counted from the first day of a story, points are whole numbers. Nothing here is taken from the hub: a lot is a
number of points with a last day, a hold covers parts of lots, and whatever leaves a lot is in a house's pocket.
``reference_terms`` adds what programs do by themselves, ``reference_corrections`` what is taken back.
"""

from collections import Counter
from itertools import count

ALWAYS = -(10**6)


class Refused(Exception):
    """The reference does not allow the step."""


class Lot:
    """``came_from``: the lots that its points were in before, in their order, with how many of each."""

    def __init__(self, last_day, points, came, came_from=()):
        self.last_day, self.left, self.came, self.came_from = last_day, points, came, list(came_from)
        self.lapsed = 0
        self.covers = Counter()  # by hold

    @property
    def free(self):
        return self.left - sum(self.covers.values())


class Spending:
    """Points come, are held, spent and given back; nobody spends what is not there."""

    def __init__(self, rules):
        self.rules, self.today, self.last_day = rules, 0, None
        self.lots, self.debts = [], {}
        self.holds, self.sales, self.house = {}, {}, Counter()
        self.let_go = set()  # holds that ended with points in them
        self.moments = count()

    def in_order(self, since):
        return sorted((lot for lot in self.lots if lot.last_day >= since), key=lambda lot: lot.last_day)

    def spendable(self):
        return self.in_order(self.today)

    @property
    def owed(self):
        return sum(self.debts.values())

    @property
    def available(self):
        return sum(lot.free for lot in self.spendable()) - self.owed

    @property
    def balance(self):
        return sum(lot.left for lot in self.lots) - self.owed

    @property
    def employed(self):
        return self.last_day is None or self.today <= self.last_day

    def pick(self, points, lots):
        picked = []
        for lot in lots:
            part = min(points, lot.free)
            if part:
                picked.append((lot, part))
                points -= part
        return picked

    def repay(self, since):
        """Debts take first what comes, the oldest debt from what expires first."""
        picked = self.pick(self.owed, self.in_order(since))
        for lot, part in picked:
            lot.left -= part
        paid = sum(part for _, part in picked)
        for name, points in self.debts.items():
            self.debts[name] -= min(points, paid)
            paid -= min(points, paid)

    def open(self, last_day, points, came_from=()):
        self.lots.append(Lot(last_day, points, self.today, came_from))
        return self.lots[-1]

    def gain(self, last_day, points, house):
        made = self.open(last_day, points)
        self.house[house] -= points
        self.repay(self.today)
        return made

    def lose(self, picked, house, hold=None):
        for lot, part in picked:
            lot.left -= part
            lot.lapsed += part if house == "expiry" else 0
            if hold is not None:
                lot.covers[hold] -= part
            self.house[house] += part

    def need(self, points):
        if points > self.available:
            raise Refused
        return self.pick(points, self.spendable())

    def require_open(self):
        """Who has left spends nothing from the day on which the points are due to be taken."""
        if self.last_day is not None and self.rules.leaving and self.today >= self.due_on:
            raise Refused

    def hold(self, name, points):
        self.require_open()
        for lot, part in self.need(points):
            lot.covers[name] += part
        self.holds[name] = points

    def covering(self, name):
        return [lot for lot in self.in_order(ALWAYS) if lot.covers[name]]

    def capture(self, name, sale, lines):
        points = sum(lines)
        if self.rules.leaving_releases:
            self.require_open()
        if not 0 < points <= self.holds[name]:
            raise Refused
        left, picked = points, []
        for lot in self.covering(name):
            if self.rules.keeps_held or lot.last_day >= self.today:
                picked.append((lot, min(left, lot.covers[name])))
                left -= picked[-1][1]
        if left:
            raise Refused
        self.lose(picked, "redemption", hold=name)
        self.holds[name] -= points
        self.sold(sale, lines, [part for part in picked if part[1]])

    def uncover(self, name, points):
        self.holds[name] -= points
        if not self.holds[name]:
            self.let_go.add(name)

    def release(self, name, points):
        if not 0 < points <= self.holds[name]:
            raise Refused
        self.uncover(name, points)
        for lot in reversed(self.covering(name)):
            part = min(points, lot.covers[name])
            lot.covers[name] -= part
            points -= part

    def redeem(self, sale, lines):
        self.require_open()
        picked = self.need(sum(lines))
        self.lose(picked, "redemption")
        self.sold(sale, lines, picked)

    def sold(self, sale, lines, picked):
        self.sales[sale] = [[points, 0] for points in lines], picked, next(self.moments)

    def refund(self, sale, parts):
        """Each line took its own stretch of the points; the end of it comes back first, to the lots it was in."""
        lines, picked, sold_at = self.sales[sale]
        if any(not 0 < points <= lines[number][0] - lines[number][1] for number, points in parts.items()):
            raise Refused
        units, back = [lot for lot, part in picked for _ in range(part)], Counter()
        for number, points in sorted(parts.items()):
            end = sum(line[0] for line in lines[: number + 1]) - lines[number][1]
            back.update(units[end - points : end])
            lines[number][1] += points
            self.house["redemption"] -= points
        grace = self.today + self.rules.refund_grace if self.rules.refund_grace else ALWAYS
        there = [(lot, part) for lot, part in back.items() if lot.last_day >= grace]
        for lot, part in there:
            lot.left += part
        late = [(lot, part) for lot, part in back.items() if lot.last_day < grace]
        if late:
            points = sum(part for _, part in late)
            there.append((self.open(grace, points, late), points))
        self.came_back(there, sold_at)

    def came_back(self, there, spent_at):
        """Points that had been spent since ``spent_at`` are in these lots again."""
        del there, spent_at
        self.repay(self.today)
