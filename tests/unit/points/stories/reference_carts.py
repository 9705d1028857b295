"""Carts that points pay first: pieces ship, come back or are given up; each has its own part of the points."""

from tests.unit.points.stories.reference_ledger import Refused
from tests.unit.points.stories.reference_terms import Terms


class CartLine:
    def __init__(self, quantity, points):
        self.quantity, self.points = quantity, points
        self.shipped = self.given_up = self.returned = self.points_back = 0

    def of_first(self, pieces):
        return self.points * pieces // self.quantity


class Cart:
    def __init__(self, lines, ends):
        self.lines, self.ends, self.shipments = lines, ends, []


class Carts(Terms):
    """``ends`` is the day on which a cart that has not shipped is over; None: never."""

    def __init__(self, rules):
        super().__init__(rules)
        self.carts = {}

    def may_buy(self):
        within = self.rules.leaving == "grace" and self.last_day is not None
        return self.employed or (within and self.today <= self.last_day + self.rules.leaving_grace)

    def place(self, name, lines, ends):
        points = sum(line.points for line in lines)
        if points:
            self.hold(name, points)
        self.carts[name] = Cart(lines, ends)

    def ship(self, name, sale, pieces):
        cart = self.carts[name]
        if any(
            number > line.quantity - line.shipped - line.given_up
            for line, number in zip(cart.lines, pieces, strict=True)
        ):
            raise Refused
        if name in self.let_go or (cart.ends is not None and cart.ends <= self.today):
            raise Refused
        parts = [
            line.of_first(line.shipped + number) - line.of_first(line.shipped)
            for line, number in zip(cart.lines, pieces, strict=True)
        ]
        paid = [number for number, points in enumerate(parts) if points]
        if paid:
            self.capture(name, sale, [parts[number] for number in paid])
            cart.shipments.append((sale, paid))
        for line, number in zip(cart.lines, pieces, strict=True):
            line.shipped += number
        return parts

    def take_in(self, name, pieces, points):
        """``points`` come back of each line; the first shipment gives back first."""
        cart = self.carts[name]
        if any(number > line.shipped - line.returned for line, number in zip(cart.lines, pieces, strict=True)):
            raise Refused
        left = list(points)
        for sale, paid in cart.shipments:
            parts = {}
            for at, number in enumerate(paid):
                line = self.sales[sale][0][at]
                part = min(left[number], line[0] - line[1])
                left[number] -= part
                if part:
                    parts[at] = part
            if parts:
                self.refund(sale, parts)
        assert not any(left), "more points come back than were spent"
        for line, number, part in zip(cart.lines, pieces, points, strict=True):
            line.returned += number
            line.points_back += part
            if line.returned == line.shipped:
                assert line.points_back == line.of_first(line.shipped), "all pieces are back, but not all points"

    def give_up(self, name):
        for line in self.carts[name].lines:
            line.given_up = line.quantity - line.shipped
        if self.holds.get(name):
            self.release(name, self.holds[name])
