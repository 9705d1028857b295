"""What a program does by itself: points lapse, years end, grants come, and who leaves is closed."""

from collections import Counter

from tests.unit.points.stories.reference_ledger import ALWAYS, Spending


class Terms(Spending):
    """One account under its program's terms. ``rules.leaving`` is None where the program keeps a leaver's points."""

    def __init__(self, rules):
        super().__init__(rules)
        self.granted, self.granted_ever = {}, set()

    def free_all(self, lots):
        """Take lots out of all holds."""
        for lot in lots:
            for name, part in lot.covers.items():
                if part:
                    self.uncover(name, part)
            lot.covers = Counter()

    def expire(self):
        """What was to be spent before today is breakage; debts take it first, and holds keep it where they may."""
        if any(lot.left and lot.last_day < self.today for lot in self.lots):
            self.repay(ALWAYS)
        over = [lot for lot in self.in_order(ALWAYS) if lot.last_day < self.today]
        if not self.rules.keeps_held:
            self.free_all(over)
        self.lose([(lot, lot.free) for lot in over], "expiry")

    def close_year(self, ended):
        """Of what came by the last day a share is carried over, what is held first; the rest is forfeited."""
        year = [lot for lot in self.spendable() if lot.came <= ended]
        if self.rules.year_lapses:
            self.free_all(year)
        self.repay(self.today)
        left = sum(lot.left for lot in year)
        held = sum(lot.left - lot.free for lot in year)
        carried = max(0, left * self.rules.carried_percent // 100 - held)
        self.lose(self.pick(left - held - carried, year), "expiry")
        if carried and self.rules.carried_days is not None:
            moved = self.pick(carried, year)
            self.lose(moved, "carry_over")
            self.house["carry_over"] -= carried
            self.open(ended + self.rules.carried_days, carried, moved)

    @property
    def due_on(self):
        """The first day on which a leaver's points are taken."""
        return self.last_day + 1 + (0 if self.rules.leaving == "forfeit" else self.rules.leaving_grace)

    def grant(self, name, first, last, lot):
        """Remember a grant in advance for the days from first to last; ``lot`` has its points."""
        self.granted[name] = first, last, lot

    def claw_back(self, left_of, gone_of):
        """The days after the last one were not worked: their share is taken, as far as there are points. Once each."""
        for name, (first, last, own) in list(self.granted.items()):
            if not first <= self.last_day < last or not left_of(name):
                continue
            due = left_of(name) * (last - self.last_day) // (last - first + 1)
            due -= gone_of(name, due)
            lots = sorted(self.spendable(), key=lambda lot: lot is not own)
            picked = self.pick(due, lots)
            if picked:
                self.lose(picked, "issuance")
                del self.granted[name]
                yield name, sum(part for _, part in picked)

    def close_out(self):
        """What is free of a leaver's points is taken, once the grace is over."""
        if self.rules.leaving_releases:
            self.free_all(self.lots)
            self.repay(self.today)
        taken = [(lot, lot.free) for lot in self.spendable()]
        self.lose(taken, "pay_out" if self.rules.leaving == "pay_out" else "expiry")
