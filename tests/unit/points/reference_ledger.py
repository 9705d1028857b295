"""One account's points, as plainly as it can be said: what the ledger must agree with after every step."""

from collections import Counter


class Refused(Exception):
    """The reference does not allow the step."""


class Lot:
    def __init__(self, last_day, points, came):
        self.last_day, self.left, self.expired, self.came = last_day, points, 0, came
        self.covers = Counter()  # by hold

    @property
    def free(self):
        return self.left - sum(self.covers.values())


class Reference:
    def __init__(self, *, keeps_held, reversal, grace):
        self.keeps_held, self.reversal, self.grace = keeps_held, reversal, grace
        self.lots, self.owed, self.today = [], 0, 0
        self.holds, self.sales, self.accruals, self.house = {}, {}, {}, Counter()

    def in_order(self, since):
        return sorted((lot for lot in self.lots if lot.last_day >= since), key=lambda lot: lot.last_day)

    @property
    def available(self):
        return sum(lot.free for lot in self.in_order(self.today)) - self.owed

    def pick(self, points, lots):
        picked = []
        for lot in lots:
            part = min(points, lot.free)
            if part:
                picked.append((lot, part))
                points -= part
        return picked

    def repay(self, since):
        for lot, part in self.pick(self.owed, self.in_order(since)):
            lot.left -= part
            self.owed -= part

    def gain(self, last_day, points, house):
        self.lots.append(Lot(last_day, points, self.today))
        self.house[house] -= points
        self.repay(self.today)
        return self.lots[-1]

    def lose(self, picked, house, hold=None):
        for lot, part in picked:
            lot.left -= part
            if hold is not None:
                lot.covers[hold] -= part
            self.house[house] += part

    def need(self, points):
        if points > self.available:
            raise Refused
        return self.pick(points, self.in_order(self.today))

    def earn(self, name, last_day, points):
        self.accruals[name] = [self.gain(last_day, points, "issuance"), points]

    def adjust(self, last_day, points):
        if points > 0:
            self.gain(last_day, points, "adjustment")
        else:
            self.lose(self.need(-points), "adjustment")

    def hold(self, name, points):
        for lot, part in self.need(points):
            lot.covers[name] += part
        self.holds[name] = points

    def covering(self, name):
        return [lot for lot in self.in_order(-(10**6)) if lot.covers[name]]

    def capture(self, name, sale, points):
        if not 0 < points <= self.holds[name]:
            raise Refused
        left, picked = points, []
        for lot in self.covering(name):
            if self.keeps_held or lot.last_day >= self.today:
                picked.append((lot, min(left, lot.covers[name])))
                left -= picked[-1][1]
        if left:
            raise Refused
        self.lose(picked, "redemption", hold=name)
        self.holds[name] -= points
        self.sales[sale] = ([[points, 0]], [part for part in picked if part[1]])

    def release(self, name, points):
        if not 0 < points <= self.holds[name]:
            raise Refused
        self.holds[name] -= points
        for lot in reversed(self.covering(name)):
            part = min(points, lot.covers[name])
            lot.covers[name] -= part
            points -= part

    def redeem(self, sale, lines):
        picked = self.need(sum(lines))
        self.lose(picked, "redemption")
        self.sales[sale] = ([[points, 0] for points in lines], picked)

    def refund(self, sale, number, points):
        lines, picked = self.sales[sale]
        if not 0 < points <= lines[number][0] - lines[number][1]:
            raise Refused
        end = sum(line[0] for line in lines[: number + 1]) - lines[number][1]
        units = [lot for lot, part in picked for _ in range(part)][end - points : end]
        lines[number][1] += points
        grace = self.today + self.grace if self.grace else -(10**6)
        for lot, part in Counter(units).items():
            self.house["redemption"] -= part
            if lot.last_day >= grace:
                lot.left += part
        graced = sum(part for lot, part in Counter(units).items() if lot.last_day < grace)
        if graced:
            self.lots.append(Lot(grace, graced, self.today))
        self.repay(self.today)

    def expire(self, day):
        if any(lot.left and lot.last_day < day for lot in self.lots):
            self.repay(-(10**6))
        for lot in self.lots:
            if lot.last_day < day:
                for name in () if self.keeps_held else list(lot.covers):
                    self.holds[name] -= lot.covers.pop(name)
                lot.expired += lot.free
                self.lose([(lot, lot.free)], "expiry")

    def close(self, ended, percent, grace_days):
        self.repay(self.today)
        year = [lot for lot in self.in_order(self.today) if lot.came <= ended]
        left = sum(lot.left for lot in year)
        kept = sum(lot.left - lot.free for lot in year)
        carried = max(0, left * percent // 100 - kept)
        for lot, part in self.pick(left - kept - carried, year):
            lot.expired += part
            self.lose([(lot, part)], "expiry")
        self.lose(self.pick(carried, year), "carry_over")
        if carried:
            self.house["carry_over"] -= carried
            self.lots.append(Lot(ended + grace_days, carried, self.today))

    def reverse(self, name):
        own, points = self.accruals[name]
        due = points - own.expired
        first = min(due, own.free)
        others = [lot for lot in self.in_order(self.today) if lot is not own]
        rest = min(due - first, max(0, sum(lot.free for lot in others) - self.owed))
        missing = due - first - rest
        if missing and self.reversal == "refuse":
            raise Refused
        self.lose([(own, first), *self.pick(rest, others)], "issuance")
        if self.reversal == "overdraft":
            self.owed += missing
            self.house["issuance"] += missing
        del self.accruals[name]
