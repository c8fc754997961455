"""Orders from the purchase to the customer's door, with their items and payments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import sqrt

from local.shop import distributions as figures
from local.shop.dice import Dice, Wheel
from local.shop.people import Home, Person, make_id
from local.shop.stock import Product
from local.shop.tables import Table

_WITHOUT_ITEMS = {"unavailable": 0.99, "canceled": 0.26, "created": 1.0}
_STEPS = {  # how many of approval, carrier and customer an order of this status has seen
    "created": 0,
    "approved": 1,
    "invoiced": 1,
    "processing": 1,
    "unavailable": 1,
    "canceled": 1,
    "shipped": 2,
    "delivered": 3,
}


@dataclass(frozen=True)
class Item:
    """One piece of an order; amounts in centavos."""

    product: Product
    shipping_limit: datetime
    price: int
    freight: int


@dataclass(frozen=True)
class Order:
    """One order in local time; moments that have not come are None."""

    order_id: str
    customer_id: str
    person: Person
    status: str
    purchased: datetime
    approved: datetime | None
    at_carrier: datetime | None
    delivered: datetime | None
    estimate: datetime
    would_arrive: datetime  # when the parcel comes or would have come
    items: tuple[Item, ...]

    def lateness(self) -> str:
        """How the parcel came, in the words of `distributions.SCORES`."""
        if self.delivered is None:
            return "never"
        days = (self.delivered.date() - self.estimate.date()).days
        if days <= 0:
            return "in time"
        return "some days late" if days <= 3 else "a week late" if days <= 7 else "very late"


def make_orders(seed: int, people: Sequence[Person], products: Sequence[Product]) -> Iterator[Order]:
    """One order per person given, in the order of their purchase times."""
    dice = Dice(seed, "orders")
    stock = Wheel.of((product, product.popularity) for product in products)
    for number, (purchased, person) in enumerate(zip(_purchases(seed, len(people)), people, strict=True)):
        yield _order(dice, seed, number, purchased, person, stock)


def fill_orders(orders: Sequence[Order], tables: dict[str, Table]) -> None:
    """Rows of orders, customers and items."""
    for order in orders:
        moments = (order.purchased, order.approved, order.at_carrier, order.delivered, order.estimate)
        tables["orders"].rows.append(
            [order.order_id, order.customer_id, order.status, *("" if m is None else str(m) for m in moments)]
        )
        home = order.person.home
        tables["customers"].rows.append(
            [order.customer_id, order.person.unique_id, home.zip_code, home.town.name, home.state.code]
        )
        for number, item in enumerate(order.items, 1):
            product = item.product
            ids = [order.order_id, str(number), product.product_id, product.seller.seller_id]
            amounts = [reais(item.price), reais(item.freight)]
            tables["order_items"].rows.append([*ids, str(item.shipping_limit), *amounts])


def fill_payments(seed: int, orders: Sequence[Order], table: Table) -> None:
    """Rows of payments; each order's add up to price and freight. Orders without items were paid all the same."""
    dice = Dice(seed, "payments")
    for order in orders:
        due = sum(item.price + item.freight for item in order.items) or dice.between(2500, 30000)
        for number, (kind, instalments, centavos) in enumerate(_payments(dice, due), 1):
            table.rows.append([order.order_id, str(number), kind, str(instalments), reais(centavos)])


def reais(centavos: int) -> str:
    """An amount with two decimals."""
    return f"{centavos // 100}.{centavos % 100:02d}"


def _purchases(seed: int, count: int) -> list[datetime]:
    dice = Dice(seed, "purchases")
    days = Wheel.of(figures.day_weights())
    hours = Wheel.of(enumerate(figures.ORDERS_PER_HOUR))
    return sorted(
        datetime.combine(days.spin(dice), time(hours.spin(dice), dice.below(60), dice.below(60)))
        for _ in range(count)
    )


def _order(
    dice: Dice, seed: int, number: int, purchased: datetime, person: Person, stock: Wheel[Product]
) -> Order:
    status = figures.STATUSES.spin(dice)
    steps = _STEPS[status]
    approved = purchased + _approval(dice)
    at_carrier = approved + timedelta(seconds=int(dice.spread(1.85 * 86400, 0.8)))
    products = _basket(dice, stock)
    usual = _usual_days(products[0].seller.home, person.home)
    days = dice.spread(usual * _slowness(at_carrier.date()) / 100, 0.52)
    would_arrive = at_carrier + timedelta(seconds=int(days * 86400))
    promised = max(7.0, 10.0 + 1.75 * usual + dice.normal() * 4.0)
    estimate = datetime.combine(purchased.date() + timedelta(days=int(promised)), time())
    empty = dice.chance(_WITHOUT_ITEMS.get(status, 0.0))
    limit = approved + timedelta(days=figures.SHIPPING_LIMIT_DAYS.spin(dice))
    return Order(
        order_id=make_id(seed, "order", number),
        customer_id=make_id(seed, "customer", number),
        person=person,
        status=status,
        purchased=purchased,
        approved=approved if steps >= 1 else None,
        at_carrier=at_carrier if steps >= 2 else None,
        delivered=would_arrive if steps >= 3 else None,
        estimate=estimate,
        would_arrive=would_arrive,
        items=() if empty else tuple(_item(dice, product, limit, person.home) for product in products),
    )


def _approval(dice: Dice) -> timedelta:
    if dice.chance(0.7):  # cards are approved within minutes, boletos when the bank has told
        return timedelta(seconds=int(dice.spread(17 * 60, 0.4)))
    return timedelta(seconds=int(dice.spread(26 * 3600, 0.55)))


def _basket(dice: Dice, stock: Wheel[Product]) -> list[Product]:
    first = stock.spin(dice)
    further = figures.ITEMS_PER_ORDER.spin(dice) - 1
    return [
        first,
        *(first if dice.chance(figures.SAME_PRODUCT_AGAIN) else stock.spin(dice) for _ in range(further)),
    ]


def _item(dice: Dice, product: Product, limit: datetime, home: Home) -> Item:
    origin = product.seller.home
    kilometres = _kilometres(origin, home)
    base = 11.0 + (4.0 if origin.state is not home.state else 0.0) + 0.0068 * kilometres
    by_weight = 0.85 + 0.11 * min(product.grams, 25000) / 1000
    freight = int(dice.spread(base * by_weight * 100, 0.3))
    return Item(product, limit, product.price, max(freight, 100))


def _usual_days(origin: Home, home: Home) -> float:
    days = 2.0 + 0.0048 * _kilometres(origin, home)
    if origin.state is not home.state:
        days += 3.7
    return days + figures.SLOW_STATES.get(home.state.code, 0.0)


def _slowness(day: date) -> int:
    return next((hundredths for first, last, hundredths in figures.SLOW_WEEKS if first <= day <= last), 100)


def _kilometres(a: Home, b: Home) -> float:
    # flat earth is good enough for a parcel, and sqrt rounds alike everywhere; cosine does not
    north = (a.latitude - b.latitude) * 111.2
    east = (a.longitude - b.longitude) * 106.0
    return sqrt(north * north + east * east)


def _payments(dice: Dice, due: int) -> list[tuple[str, int, int]]:
    """(type, instalments, centavos) of the payments of one order."""
    if dice.chance(figures.CARD_WITH_VOUCHERS) and due > 1000:
        vouchers = [due * dice.between(10, 30) // 100 for _ in range(1 + (dice.below(5) == 0))]
        rest = due - sum(vouchers)
        return [
            ("credit_card", _instalments(dice, rest), rest),
            *(("voucher", 1, voucher) for voucher in vouchers),
        ]
    kind = figures.PAYMENT_TYPES.spin(dice)
    return [(kind, _instalments(dice, due) if kind == "credit_card" else 1, due)]


def _instalments(dice: Dice, due: int) -> int:
    return max(1, min(figures.INSTALMENTS.spin(dice), due // figures.LEAST_INSTALMENT))
