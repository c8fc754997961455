"""What the shop sells: products, each of one category and one seller."""

from collections.abc import Sequence
from dataclasses import dataclass

from local.shop.dice import Dice, Wheel
from local.shop.distributions import CATEGORIES, UNTRANSLATED, Category
from local.shop.people import Seller, make_id
from local.shop.tables import Table

_PHOTOS = Wheel.of([(1, 50), (2, 19), (3, 12), (4, 8), (5, 5), (6, 4), (8, 2)])
_PRICE_ENDINGS = (90, 99, 0, 49, 50, 95)


@dataclass(frozen=True)
class Product:
    """A product: `price` in centavos, `popularity` its weight among all products."""

    product_id: str
    category: Category
    seller: Seller
    price: int
    grams: int
    popularity: int


def make_products(seed: int, sellers: Sequence[Seller], count: int, table: Table) -> list[Product]:
    """Products, written to their table. A few sell very often, most hardly ever."""
    dice = Dice(seed, "products")
    categories = Wheel.of((category, category.share) for category in CATEGORIES)
    busy = Wheel.of((seller, int(dice.spread(100, 1.2)) + 1) for seller in sellers)
    products = []
    for number in range(count):
        category = categories.spin(dice)
        product = Product(
            product_id=make_id(seed, "product", number),
            category=category,
            seller=busy.spin(dice),
            price=_price(dice, category),
            grams=max(50, int(dice.spread(category.grams, 0.7))),
            popularity=int(dice.spread(20, 1.2)) + 1,
        )
        products.append(product)
        table.rows.append(_row(dice, product))
    return products


def fill_translation(table: Table) -> None:
    """English names of all categories but those that nobody has translated."""
    for category in CATEGORIES:
        if category.name not in UNTRANSLATED:
            table.rows.append([category.name, category.english])


def _price(dice: Dice, category: Category) -> int:
    reais = int(dice.spread(category.price, category.sigma))
    return max(350, min(reais, 6999) * 100 + dice.pick(_PRICE_ENDINGS))


def _row(dice: Dice, product: Product) -> list[str]:
    description = [
        product.category.name,
        str(dice.between(20, 63)),
        str(int(dice.spread(600, 0.7)) + 20),
        str(_PHOTOS.spin(dice)),
    ]
    sizes = [str(max(least, int(dice.spread(median, 0.5)))) for median, least in ((27, 16), (14, 2), (21, 8))]
    return [product.product_id, *description, str(product.grams), *sizes]
