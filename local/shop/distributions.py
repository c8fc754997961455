"""The figures the shop follows. Unless a line says otherwise they are measured in Olist's published orders."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from local.shop.dice import Wheel

FIRST_DAY = date(2016, 10, 1)
LAST_DAY = date(2018, 8, 31)

# fmt: off
# Orders per month. The first four months are ours: Olist's own start has holes that look like a broken chart.
ORDERS_PER_MONTH: Mapping[str, int] = dict(
    zip(
        (f"{2016 + (9 + i) // 12}-{(9 + i) % 12 + 1:02d}" for i in range(23)),
        (324, 470, 560, 800, 1780, 2682, 2404, 3700, 3245, 4026, 4331, 4285,
         4631, 7544, 5673, 7269, 6728, 7211, 6939, 6873, 6167, 6292, 6512),
        strict=True,
    )
)
ORDERS_PER_WEEKDAY = (16196, 15963, 15552, 14761, 14122, 10887, 11960)  # Monday first
ORDERS_PER_HOUR = (
    2394, 1170, 510, 272, 206, 188, 502, 1231, 2967, 4785, 6177, 6578,
    5995, 6518, 6569, 6454, 6675, 6150, 5769, 5982, 6193, 6217, 5816, 4123,
)
# Orders of the days around Black Friday in hundredths of a plain day, from the day before to the Thursday after.
BLACK_FRIDAY = (125, 520, 250, 200, 165, 155, 140, 125)
QUIET_DAYS = {(12, 24): 45, (12, 25): 40, (12, 31): 45, (1, 1): 55}  # hundredths of a plain day; ours

ITEMS_PER_ORDER = Wheel.of([(1, 88863), (2, 7516), (3, 1322), (4, 505), (5, 204), (6, 198), (8, 40), (12, 20)])
SAME_PRODUCT_AGAIN = 0.7  # share of further items that are one more piece of the first product

STATUSES = Wheel.of(
    [("delivered", 96478), ("shipped", 1107), ("canceled", 625), ("unavailable", 609), ("invoiced", 314),
     ("processing", 301), ("created", 5), ("approved", 2)]
)
SHIPPING_LIMIT_DAYS = Wheel.of([(2, 6), (3, 8), (4, 20), (5, 18), (6, 26), (8, 8), (10, 6), (12, 6), (18, 2)])

PAYMENT_TYPES = Wheel.of([("credit_card", 74500), ("boleto", 19784), ("voucher", 1650), ("debit_card", 1529)])
CARD_WITH_VOUCHERS = 0.026  # share of orders paid by card and one or more vouchers
INSTALMENTS = Wheel.of(
    [(1, 25455), (2, 12413), (3, 10461), (4, 7098), (5, 5239), (6, 3920), (7, 1626), (8, 4268), (9, 644),
     (10, 5328), (12, 133), (15, 74), (18, 27), (24, 18)]
)
# fmt: on
LEAST_INSTALMENT = 2000  # centavos; ours

REPEAT_CUSTOMERS = 0.034  # share of orders by a person who has ordered before
ORDERS_WITHOUT_REVIEW = 0.008
REVIEW_OF_TWO_ORDERS = 0.0011  # share of reviews that stand again, under the same id, with another order

# Scores 1 to 5 in thousandths by how the parcel came.
SCORES: Mapping[str, Wheel[int]] = {
    lateness: Wheel.of(zip((1, 2, 3, 4, 5), weights, strict=True))
    for lateness, weights in {
        "in time": (61, 25, 80, 206, 628),
        "some days late": (242, 72, 149, 202, 335),
        "a week late": (583, 89, 100, 86, 142),
        "very late": (695, 95, 92, 49, 69),
        "never": (703, 73, 76, 54, 94),
    }.items()
}
WITH_MESSAGE = {1: 0.75, 2: 0.66, 3: 0.41, 4: 0.30, 5: 0.34}
WITH_TITLE = {1: 0.16, 2: 0.15, 3: 0.10, 4: 0.09, 5: 0.11}
MESSAGE_WITH_LINE_BREAK = 0.04


# Weeks in which parcels were slow, in hundredths of the usual time.
SLOW_WEEKS = ((date(2017, 11, 20), date(2017, 12, 20), 135), (date(2018, 2, 10), date(2018, 3, 25), 140))
SLOW_STATES = {"RJ": 1.5, "AL": 4.0, "PA": 2.0, "AM": 4.0, "AP": 4.0, "RR": 4.0, "AC": 3.0}  # more days


@dataclass(frozen=True)
class Category:
    """A product category of ours; prices are log-normal around `price` (reais), weights around `grams`."""

    name: str
    english: str
    share: int
    price: float
    sigma: float
    grams: float


CATEGORIES = tuple(
    Category(*row)
    for row in (
        ("cama_e_banho", "bed_and_bath", 1111, 74, 0.69, 1254),
        ("beleza", "beauty", 967, 79, 0.97, 475),
        ("esporte", "sports", 864, 77, 0.84, 767),
        ("moveis", "furniture", 833, 65, 0.76, 1397),
        ("informatica", "computing", 783, 78, 0.85, 401),
        ("cozinha", "kitchen", 696, 59, 0.90, 1428),
        ("relogios", "watches", 599, 128, 0.91, 397),
        ("telefones", "phones", 455, 39, 0.92, 213),
        ("jardim", "garden", 435, 72, 0.78, 1743),
        ("pecas_de_carro", "car_parts", 424, 81, 1.02, 890),
        ("jogos_infantis", "toys_and_games", 412, 83, 0.80, 887),
        ("presentes", "gifts", 380, 115, 0.86, 1335),
        ("perfumes", "perfumes", 342, 80, 0.93, 342),
        ("infantil", "children", 307, 82, 0.91, 1144),
        ("eletronica", "electronic_goods", 277, 30, 0.96, 294),
        ("material_escolar", "school_supplies", 252, 69, 0.78, 1197),
        ("bolsas", "handbags", 203, 54, 0.73, 207),
        ("animais", "pets", 195, 78, 0.80, 1024),
        ("escritorio", "office", 169, 145, 0.45, 10088),
        ("videogames", "video_games", 114, 68, 1.12, 280),
        ("malas", "luggage", 109, 102, 0.67, 2058),
        ("ferramentas", "tools", 93, 85, 1.05, 1229),
        ("grandes_aparelhos", "large_appliances", 77, 168, 1.10, 5959),
        ("instrumentos", "instruments", 68, 129, 1.20, 1179),
        ("pequenos_aparelhos", "small_devices", 68, 122, 1.20, 1289),
        ("iluminacao", "lighting", 60, 94, 0.87, 1250),
        ("livros", "books", 82, 55, 0.80, 650),
        ("mercearia", "groceries", 79, 44, 0.70, 500),
        ("sala_de_estar", "living_room", 50, 106, 0.71, 6291),
        ("moda", "fashion", 46, 58, 0.80, 350),
        ("bebidas_e_vinhos", "drinks_and_wine", 38, 42, 0.78, 539),
        ("ventilacao", "cooling", 30, 127, 0.89, 1992),
        ("sapatos", "shoes", 26, 72, 0.67, 809),
        ("artesanato", "crafts", 23, 70, 0.80, 1100),
        ("computadores", "desktop_computers", 20, 974, 0.49, 5224),
        ("fotografia", "photography", 14, 45, 1.00, 430),
    )
)
UNTRANSLATED = frozenset({"artesanato"})  # Olist's own translation lacks two of its categories


def day_weights() -> Iterator[tuple[date, int]]:
    """Each day of the shop with its weight: month by month growth, weekdays, Black Friday, quiet holidays."""
    day = FIRST_DAY
    while day <= LAST_DAY:
        month = []
        current = day.month
        while day.month == current:
            month.append((day, _plain_weight(day)))
            day += timedelta(days=1)
        total = sum(weight for _, weight in month)
        orders = ORDERS_PER_MONTH[f"{month[0][0]:%Y-%m}"]
        for each, weight in month:
            yield each, orders * weight * 1000 // total


def black_friday(year: int) -> date:
    """The Friday after the fourth Thursday of November."""
    first = date(year, 11, 1)
    return first + timedelta(days=(3 - first.weekday()) % 7 + 22)


def _plain_weight(day: date) -> int:
    weight = ORDERS_PER_WEEKDAY[day.weekday()]
    since = (day - black_friday(day.year)).days + 1
    if 0 <= since < len(BLACK_FRIDAY):
        weight = weight * BLACK_FRIDAY[since] // 100
    return weight * QUIET_DAYS.get((day.month, day.day), 100) // 100
