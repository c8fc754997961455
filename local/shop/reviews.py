"""What customers say about their orders."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from local.shop import distributions as figures
from local.shop import sentences
from local.shop.dice import Dice
from local.shop.orders import Order
from local.shop.people import make_id
from local.shop.tables import Table


def fill_reviews(seed: int, orders: Sequence[Order], table: Table) -> None:
    """Reviews by their creation date: scores follow lateness, the lower the score the more is written."""
    dice = Dice(seed, "reviews")
    for number, order in enumerate(orders):
        if dice.chance(figures.ORDERS_WITHOUT_REVIEW):
            continue
        review = _review(dice, make_id(seed, "review", number), order)
        table.rows.append(review)
        if number and dice.chance(figures.REVIEW_OF_TWO_ORDERS):
            table.rows.append([review[0], orders[number - 1].order_id, *review[2:]])
    table.rows.sort(key=lambda row: (row[5], row[0], row[1]))


def _review(dice: Dice, review_id: str, order: Order) -> list[str]:
    lateness = order.lateness()
    score = figures.SCORES[lateness].spin(dice)
    created = _created(dice, order)
    answered = created + timedelta(seconds=int(dice.spread(1.7 * 86400, 0.85)))
    title = sentences.title(dice, score) if dice.chance(figures.WITH_TITLE[score]) else ""
    written = dice.chance(figures.WITH_MESSAGE[score])
    message = sentences.message(dice, score, lateness) if written else ""
    return [review_id, order.order_id, str(score), title, message, str(created), str(answered)]


def _created(dice: Dice, order: Order) -> datetime:
    """The midnight after the delivery, or some days after the estimate if the parcel has not come by then."""
    given_up = order.estimate + timedelta(days=dice.between(1, 3))
    arrived = order.delivered or given_up
    day = min(arrived, given_up).date()
    return datetime.combine(max(day, order.purchased.date()) + timedelta(days=1), time())
