"""What is wrong in the shop's files: every kind of defect, where it must end and which rules it breaks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lakehouse.envelope import UNDECODABLE
from local.shop.spoil import (
    Spoil,
    any_row,
    approved_a_day_late,
    becomes,
    both,
    changes,
    delivered,
    first_payment,
    in_latin_1,
    loses_last_cell,
    nothing,
    splits_at_comma,
    swaps,
    takes_from,
    year_before,
)
from local.shop.tables import Table

Fate = Literal["quarantine", "warn"]
Fits = Callable[[Table, int], bool]

CLOCK_AHEAD = "occurred_at_not_in_future"
FAR_FUTURE = (
    "2099-12-31 23:59:59"  # a till with a dead clock battery; fixed, so that a resend is the same event
)


@dataclass(frozen=True)
class DefectKind:
    """One kind of defect.

    `rules` are all rules that such a row breaks, the one it is about first. `count` is for 8,000 orders; a smaller
    or larger shop has its share, at least one. `fits` says which rows can be spoilt so.
    """

    entity: str
    name: str
    fate: Fate
    column: str
    rules: tuple[str, ...]
    count: int
    spoil: Spoil
    fits: Fits


@dataclass(frozen=True)
class _Of:
    """Makes the kinds of one entity."""

    entity: str

    def quarantine(
        self, name: str, column: str, rules: str, count: int, spoil: Spoil, fits: Fits = any_row
    ) -> DefectKind:
        return DefectKind(self.entity, name, "quarantine", column, tuple(rules.split()), count, spoil, fits)

    def warn(
        self, name: str, column: str, rules: str, count: int, spoil: Spoil, fits: Fits = any_row
    ) -> DefectKind:
        return DefectKind(self.entity, name, "warn", column, tuple(rules.split()), count, spoil, fits)


def _slashed(text: str) -> str:
    return f"{text[8:10]}/{text[5:7]}/{text[:4]} {text[11:16]}"


def _zero_first(table: Table, record: int) -> bool:
    return table.cell(record, "customer_zip_code_prefix")[0] == "0"


def _from_sao_paulo(table: Table, record: int) -> bool:
    return table.cell(record, "geolocation_state") == "SP"


STATUS, BOUGHT, APPROVED = "order_status", "order_purchase_timestamp", "order_approved_at"
CARRIER, CUSTOMER = "order_delivered_carrier_date", "order_delivered_customer_date"
ESTIMATE, LIMIT = "order_estimated_delivery_date", "shipping_limit_date"
CREATED, ANSWERED = "review_creation_date", "review_answer_timestamp"
ZIP, LATITUDE, LONGITUDE = "customer_zip_code_prefix", "geolocation_lat", "geolocation_lng"
_DESCRIPTION = (
    "product_category_name",
    "product_name_lenght",
    "product_description_lenght",
    "product_photos_qty",
)

_orders, _items, _payments, _reviews = _Of("orders"), _Of("order_items"), _Of("payments"), _Of("reviews")
_customers, _products, _sellers, _places = (
    _Of("customers"),
    _Of("products"),
    _Of("sellers"),
    _Of("geolocation"),
)

# fmt: off
KINDS = (
    _orders.quarantine("unknown status", STATUS, "order_status_known", 4, becomes("devolvido", "Entregue")),
    _orders.quarantine("malformed id", "order_id", "order_id_is_id", 2, changes(lambda t: t[:28].upper() + "G")),
    _orders.quarantine("customer missing", "customer_id", "customer_id_present", 2, becomes("")),
    _orders.quarantine("day that does not exist", APPROVED, "order_approved_at_readable", 2,
                       becomes("2017-02-30 10:15:00"), delivered),
    _orders.quarantine("date in another form", BOUGHT, "order_purchase_timestamp_readable", 2, changes(_slashed)),
    _orders.quarantine("estimate missing", ESTIMATE, "order_estimated_delivery_date_present", 1, becomes("")),
    _orders.quarantine("delivered before bought", CUSTOMER, "delivered_after_purchase delivered_after_carrier", 2,
                       takes_from(BOUGHT, year_before), delivered),
    _orders.quarantine("two things wrong", STATUS, "order_status_known order_estimated_delivery_date_readable", 1,
                       both((STATUS, becomes("???")), (ESTIMATE, becomes("em breve")))),
    _orders.quarantine("clock ahead", "occurred_at", CLOCK_AHEAD, 1, nothing),
    _orders.warn("delivered without delivery time", CUSTOMER, "delivered_has_customer_date", 8,
                 becomes(""), delivered),
    _orders.warn("delivered without carrier", CARRIER, "delivered_has_carrier_date", 2, becomes(""), delivered),
    _orders.warn("delivered without approval", APPROVED, "delivered_has_approval", 3, becomes(""), delivered),
    _orders.warn("carrier before approval", CARRIER, "carrier_after_approval", 14,
                 takes_from(BOUGHT, str), approved_a_day_late),
    _orders.warn("carrier before purchase", CARRIER, "carrier_after_purchase carrier_after_approval", 4,
                 takes_from(BOUGHT, year_before), delivered),
    _orders.warn("delivered before carrier", CUSTOMER, "delivered_after_carrier", 3,
                 swaps(CUSTOMER, CARRIER), delivered),

    _items.quarantine("negative price", "price", "price_not_negative", 3, changes(lambda t: f"-{t}")),
    _items.quarantine("price with three decimals", "price", "price_readable", 2, changes(lambda t: f"{t}5")),
    _items.quarantine("price with a comma", "price", "price_readable", 2, changes(lambda t: t.replace(".", ","))),
    _items.quarantine("freight missing", "freight_value", "freight_value_present", 2, becomes("")),
    _items.quarantine("item number zero", "order_item_id", "order_item_id_in_range", 1, becomes("0")),
    _items.quarantine("malformed product", "product_id", "product_id_is_id", 1, becomes("N/A")),
    _items.quarantine("day that does not exist", LIMIT, "shipping_limit_date_readable", 1,
                      becomes("2018-04-31 23:59:59")),
    _items.warn("free freight", "freight_value", "freight_value_not_free", 31, becomes("0.00")),
    _items.warn("shipping limit years away", LIMIT, "shipping_limit_date_plausible", 2,
                becomes("2020-04-09 22:35:08")),

    _payments.quarantine("unknown type", "payment_type", "payment_type_known", 3, becomes("pix", "dinheiro")),
    _payments.quarantine("negative value", "payment_value", "payment_value_not_negative payment_value_not_zero", 1,
                         changes(lambda t: f"-{t}")),
    _payments.quarantine("value with currency", "payment_value", "payment_value_readable", 2,
                         changes(lambda t: "R$ " + t.replace(".", ","))),
    _payments.quarantine("120 instalments", "payment_installments", "payment_installments_in_range", 1,
                         becomes("120")),
    _payments.warn("zero instalments", "payment_installments", "payment_installments_not_zero", 2, becomes("0")),
    _payments.warn("type not defined", "payment_type", "payment_type_defined payment_value_not_zero", 3,
                   both(("payment_type", becomes("not_defined")), ("payment_value", becomes("0.00"))), first_payment),
    _payments.warn("nothing paid", "payment_value", "payment_value_not_zero", 3, becomes("0.00")),

    _reviews.quarantine("score 7", "review_score", "review_score_in_range", 2, becomes("7")),
    _reviews.quarantine("creation date missing", CREATED, "review_creation_date_present", 3, becomes("")),
    _reviews.quarantine("order missing", "order_id", "order_id_present", 1, becomes("")),
    _reviews.quarantine("words for a date", CREATED, "review_creation_date_readable", 1, becomes("ontem")),
    _reviews.warn("answer time missing", ANSWERED, "review_answer_timestamp_given", 3, becomes("")),
    _reviews.warn("answered before asked", ANSWERED, "answered_after_creation", 2,
                  takes_from(CREATED, year_before)),

    _customers.quarantine("state XX", "customer_state", "customer_state_known", 2, becomes("XX")),
    _customers.quarantine("zip code without its zero", ZIP, "customer_zip_code_prefix_is_zip", 4,
                          changes(lambda t: str(int(t))), _zero_first),
    _customers.quarantine("cell missing", "customer_state", UNDECODABLE, 1, loses_last_cell),
    _customers.quarantine("comma without quotes", "customer_city", UNDECODABLE, 1, splits_at_comma),
    _customers.warn("state in the city", "customer_city", "customer_city_plain", 3, changes(lambda t: f"{t}/sp")),

    _products.quarantine("weight with its unit", "product_weight_g", "product_weight_g_readable", 2,
                         changes(lambda t: f"{t} g")),
    _products.quarantine("no height", "product_height_cm", "product_height_cm_in_range", 1, becomes("0")),
    _products.warn("no description", "product_category_name", "product_category_name_given", 48,
                   both(*((column, becomes("")) for column in _DESCRIPTION))),
    _products.warn("weight zero", "product_weight_g", "product_weight_g_not_zero", 2, becomes("0")),
    _products.warn("weight missing", "product_weight_g", "product_weight_g_given", 1, becomes("")),

    _sellers.quarantine("not UTF-8", "seller_city", UNDECODABLE, 1, in_latin_1("são paulo")),
    _sellers.quarantine("state in lower case", "seller_state", "seller_state_known", 1, changes(str.lower)),
    _sellers.warn("number for a city", "seller_city", "seller_city_plain", 2, becomes("04482255")),

    _places.quarantine("outside Brazil", LATITUDE, "geolocation_lat_in_brazil geolocation_lng_in_brazil", 3,
                       both((LATITUDE, becomes("38.7223", "41.1579")), (LONGITUDE, becomes("-9.1393", "-8.6291")))),
    _places.quarantine("coordinates swapped", LATITUDE, "geolocation_lat_in_brazil geolocation_lng_in_brazil", 2,
                       swaps(LATITUDE, LONGITUDE), _from_sao_paulo),
    _places.quarantine("not a number", LATITUDE, "geolocation_lat_readable", 1, becomes("NaN")),
    _places.quarantine("state XX", "geolocation_state", "geolocation_state_known", 1, becomes("XX")),
    _places.quarantine("not UTF-8", "geolocation_city", UNDECODABLE, 1, in_latin_1("são paulo")),

    _Of("category_translation").quarantine("English name missing", "product_category_name_english",
                                           "product_category_name_english_present", 1, becomes("")),
)
# fmt: on
