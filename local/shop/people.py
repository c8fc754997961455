"""Where people live and who sells: zip codes, geolocation, customers, sellers."""

import hashlib
from dataclasses import dataclass

from local.shop.dice import Dice, Wheel
from local.shop.distributions import REPEAT_CUSTOMERS
from local.shop.places import STATES, State, Town
from local.shop.tables import Table

_ROWS_PER_ZIP = Wheel.of([(1, 30), (2, 20), (3, 15), (5, 15), (8, 15), (14, 5)])
_EXACT_COPIES = 0.26  # share of rows that stand again: 261,831 of 1,000,163 in the published file
_ZIPS_WITHOUT_PLACE = 0.003
_ACCENTED = {
    "sao paulo": "são paulo",
    "goiania": "goiânia",
    "brasilia": "brasília",
    "florianopolis": "florianópolis",
    "niteroi": "niterói",
    "belem": "belém",
    "maceio": "maceió",
}


@dataclass(frozen=True)
class Home:
    """A zip code prefix with its town and coordinates."""

    zip_code: str
    state: State
    town: Town
    latitude: float
    longitude: float


@dataclass(frozen=True)
class Seller:
    """A seller and where they send from."""

    seller_id: str
    home: Home


@dataclass(frozen=True)
class Person:
    """Somebody who buys, under another customer_id in every order."""

    unique_id: str
    home: Home


def make_id(seed: int, kind: str, number: int) -> str:
    """32 characters of 0-9 and a-f, the same for the same arguments."""
    return hashlib.sha256(f"{seed}/{kind}/{number}".encode()).hexdigest()[:32]


class Homes:
    """The zip codes of the shop: more of them where more customers live, each in one town."""

    def __init__(self, dice: Dice, count: int) -> None:
        self._dice = dice
        self._by_state: dict[str, list[Home]] = {}
        total = sum(state.customers for state in STATES)
        for state in STATES:
            share = max(3, count * state.customers // total)
            homes = (self._new_home(state, dice.pick(_positions(state))) for _ in range(share))
            unique = {home.zip_code: home for home in homes}
            self._by_state[state.code] = [unique[zip_code] for zip_code in sorted(unique)]
        self._customers = Wheel.of((state, state.customers) for state in STATES)
        self._sellers = Wheel.of((state, state.sellers) for state in STATES)

    def of_customer(self) -> Home:
        """Where a new customer lives; rarely a zip code that geolocation does not know."""
        state = self._customers.spin(self._dice)
        home = self._dice.pick(self._by_state[state.code])
        if self._dice.chance(_ZIPS_WITHOUT_PLACE):
            return Home(f"{state.zips[0] + 7:05d}", state, home.town, home.latitude, home.longitude)
        return home

    def of_seller(self) -> Home:
        """Where a new seller sends from."""
        return self._dice.pick(self._by_state[self._sellers.spin(self._dice).code])

    def fill(self, table: Table) -> None:
        """Geolocation: several sightings per zip code, towns spelt in two ways, and exact copies."""
        dice = self._dice
        for state in STATES:
            for home in self._by_state[state.code]:
                for _ in range(_ROWS_PER_ZIP.spin(dice)):
                    row = _sighting(dice, home)
                    table.rows.append(row)
                    if dice.chance(_EXACT_COPIES):
                        table.rows.append(list(row))

    def _new_home(self, state: State, position: tuple[Town, int]) -> Home:
        town, zip_code = position
        latitude = town.latitude + self._dice.normal() * 0.03
        longitude = town.longitude + self._dice.normal() * 0.03
        return Home(f"{zip_code:05d}", state, town, latitude, longitude)


def make_sellers(seed: int, homes: Homes, count: int, table: Table) -> list[Seller]:
    """Sellers, written to their table."""
    sellers = [Seller(make_id(seed, "seller", number), homes.of_seller()) for number in range(count)]
    for seller in sellers:
        home = seller.home
        table.rows.append([seller.seller_id, home.zip_code, home.town.name, home.state.code])
    return sellers


def make_people(seed: int, homes: Homes, orders: int) -> list[Person]:
    """Who orders, one per order: mostly new people, some who come again."""
    dice = Dice(seed, "people")
    people: list[Person] = []
    for number in range(orders):
        if people and dice.chance(REPEAT_CUSTOMERS):
            # a person of a recent order rather than any: who comes again does so within months
            people.append(people[-1 - dice.below(min(len(people), 1 + orders // 4))])
        else:
            people.append(Person(make_id(seed, "person", number), homes.of_customer()))
    return people


def _positions(state: State) -> list[tuple[Town, int]]:
    """Every zip code of a state (in steps, lest the list grow long) with the town it belongs to."""
    first, last = state.zips
    shares = sum(town.share for town in state.towns)
    step = max(1, (last - first) // 2000)
    positions: list[tuple[Town, int]] = []
    begin = first + 10  # the state's first zip codes stay free: customers without a place live there
    for town in state.towns:
        end = begin + (last - first - 10) * town.share // shares
        positions.extend((town, zip_code) for zip_code in range(begin, end, step))
        begin = end
    return positions


def _sighting(dice: Dice, home: Home) -> list[str]:
    latitude = home.latitude + dice.normal() * 0.004
    longitude = home.longitude + dice.normal() * 0.004
    name = home.town.name
    if dice.chance(0.3):
        name = _ACCENTED.get(name, name)
    return [home.zip_code, f"{latitude:.14f}", f"{longitude:.14f}", name, home.state.code]
