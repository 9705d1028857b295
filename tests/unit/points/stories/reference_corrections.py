"""What was given and is taken back: reversals, corrections, files that were wrong, and what such a file took."""

from tests.unit.points.stories.reference_carts import Carts
from tests.unit.points.stories.reference_ledger import Refused


class Given:
    """Points given for a reason, in a lot of their own; ``gone`` of what was taken back had lapsed."""

    def __init__(self, lot, points, house):
        self.lot, self.points, self.house = lot, points, house
        self.taken = self.gone = self.clawed = self.corrected = 0


class Part:
    """Points of something given that were taken back once: from which lots, what of them is owed, what is lost."""

    def __init__(self, of, points, picked, owed, gone, lost, at):
        self.of, self.points, self.picked, self.owed, self.gone, self.said = of, points, picked, owed, gone, 0
        self.lost, self.at, self.regained = lost, at, []


class Reference(Carts):
    """The whole of one account."""

    def __init__(self, rules):
        super().__init__(rules)
        self.given, self.parts, self.took, self.asked = {}, {}, {}, {}
        self.final = set()

    def give(self, name, last_day, points, house):
        self.given[name] = Given(self.gain(last_day, points, house), points, house)

    def earn(self, name, day, last_day, points):
        if self.last_day is not None and day > self.last_day:
            raise Refused
        self.give(name, last_day, points, "issuance")

    def ask(self, name, points):
        """A person asks to give points or, below zero, to take some; many of them need a second person."""
        self.asked[name] = [points, "pending"]
        if abs(points) <= self.rules.alone_up_to:
            self.decide(name, approve=True)

    def decide(self, name, *, approve):
        points, state = self.asked[name]
        decided = "posted" if approve else "rejected"
        if state not in {"pending", decided}:
            raise Refused
        if state == "pending" and approve:
            if points > 0:
                self.give(name, self.today + self.rules.life, points, "adjustment")
            else:
                picked = self.need(-points)
                self.lose(picked, "adjustment")
                self.took[name] = picked, next(self.moments)
        self.asked[name][1] = decided

    def lapsed(self, lot):
        """How many of a lot's points lapsed unspent, wherever they were: what was spent is what was there first."""
        lapsed = lot.lapsed
        for younger in self.lots:
            if any(older is lot for older, _ in younger.came_from):
                left = self.lapsed(younger)
                for older, points in reversed(younger.came_from):
                    lapsed += min(left, points) if older is lot else 0
                    left -= min(left, points)
        return lapsed

    def take_back(self, part, name, points):
        """Its own lot first, then others; what lapsed is not asked for, what is spent is as the program says."""
        given = self.given[name]
        own, gone = given.lot, self.gone_of(name, points)
        due = points - gone
        others = [lot for lot in self.spendable() if lot is not own]
        first = min(due, own.free)
        rest = min(due - first, max(0, sum(lot.free for lot in others) - self.owed))
        missing = due - first - rest
        held = any(lot.left > lot.free for lot in [own, *others])
        if missing and (self.rules.reversal == "refuse" or (self.rules.reversal == "partial" and held)):
            raise Refused
        picked = [*self.pick(first, [own]), *self.pick(rest, others)]
        self.lose(picked, given.house)
        owed = missing if self.rules.reversal == "overdraft" else 0
        self.house[given.house] += owed
        self.debts[part] = owed
        given.taken += points
        given.gone += gone
        lost = missing if self.rules.reversal == "partial" else 0
        self.parts[part] = Part(given, points, picked, owed, gone, lost, next(self.moments))

    def gone_of(self, name, points):
        """How many of these points are gone: as few as the rest of what was given allows."""
        given = self.given[name]
        gone = min(given.points, self.lapsed(given.lot) + given.clawed) - given.gone
        return min(points, max(0, points - self.standing(name) + gone))

    def came_back(self, there, spent_at):
        """What was spent before points were given up, and comes back, is taken for them; the oldest loss first."""
        there = list(there)
        for part in sorted(self.parts.values(), key=lambda each: each.at):
            if part.at < spent_at:
                continue
            for number, (lot, points) in enumerate(there):
                taken = min(points, part.lost)
                there[number] = lot, points - taken
                part.lost -= taken
                part.regained.append((lot, taken))
                self.lose([(lot, taken)], part.of.house)
        super().came_back(there, spent_at)

    def reverse(self, part, name):
        given = self.given.get(name)
        if given is not None and given.points > given.taken:
            self.take_back(part, name, given.points - given.taken)

    def correct(self, part, name, points):
        """The sender says that it was so much less: what would not have been given is taken back."""
        given = self.given.get(name)
        if given is None or given.corrected + points > given.points:
            raise Refused
        standing = given.points - given.taken
        if not standing and not given.corrected:
            raise Refused
        self.take_back(part, name, max(0, standing - (given.points - given.corrected - points)))
        given.corrected += points
        self.parts[part].said = points

    def undo(self, part):
        """A correction was wrong: what it took goes back to where it was, and what is owed for it is owed no more."""
        wrong = None if part in self.final else self.parts.pop(part, None)
        if wrong is None:
            return
        for lot, points in wrong.picked:
            lot.left += points
            self.house[wrong.of.house] -= points
        there = list(wrong.picked)
        repaid = wrong.owed - self.debts[part]
        self.debts[part] = 0
        self.house[wrong.of.house] -= wrong.owed
        if repaid:
            there.append((self.open(wrong.of.lot.last_day, repaid, [(wrong.of.lot, repaid)]), repaid))
        for lot, points in wrong.regained:
            lot.left += points
            self.house[wrong.of.house] -= points
            there.append((lot, points))
        if there or wrong.owed:
            self.came_back(there, wrong.at)
        wrong.of.taken -= wrong.points
        wrong.of.gone -= wrong.gone
        wrong.of.corrected -= wrong.said

    def forget(self, part, name):
        """A file was wrong: what it gave is taken back, and may come anew; what the program refuses stays."""
        if name in self.asked and self.asked[name][1] == "pending":
            self.asked[name][1] = "withdrawn"
        if name in self.took:
            picked, taken_at = self.took.pop(name)
            for lot, points in picked:
                lot.left += points
                self.house["adjustment"] -= points
            self.came_back(picked, taken_at)
        elif name in self.given:
            given = self.given[name]
            try:
                self.reverse(part, name)
            except Refused:
                return
            del self.given[name]
            # Its corrections hold their ids no more: nobody takes them back.
            self.final |= {key for key, made in self.parts.items() if made.of is given}

    def leave(self):
        """Do what is due to a leaver's points today."""
        if self.employed or not self.rules.leaving:
            return
        self.repay(self.today)
        if self.rules.claws_back:
            for name, points in self.claw_back(self.standing, self.gone_of):
                self.given[name].clawed += points
        if self.today >= self.due_on:
            self.close_out()

    def standing(self, name):
        return self.given[name].points - self.given[name].taken
