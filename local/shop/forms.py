"""The nine files of a shop as Olist published them: names, columns, keys, and how their cells are quoted."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FileForm:
    """Form of one file. Cells of `quoted` columns stand in quotes when they start with a digit."""

    entity: str
    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...] = ()
    quoted: frozenset[str] = frozenset()
    header_quoted: bool = False
    dos: bool = False  # byte order mark and CRLF


def _form(entity: str, name: str, columns: str, key: str = "", quoted: str = "", **more: bool) -> FileForm:
    return FileForm(
        entity, name, tuple(columns.split()), tuple(key.split()), frozenset(quoted.split()), **more
    )


FORMS = {
    form.entity: form
    for form in (
        _form(
            "orders",
            "olist_orders_dataset.csv",
            "order_id customer_id order_status order_purchase_timestamp order_approved_at "
            "order_delivered_carrier_date order_delivered_customer_date order_estimated_delivery_date",
            key="order_id",
            quoted="order_id customer_id",
            header_quoted=True,
        ),
        _form(
            "order_items",
            "olist_order_items_dataset.csv",
            "order_id order_item_id product_id seller_id shipping_limit_date price freight_value",
            key="order_id order_item_id",
            quoted="order_id product_id seller_id",
            header_quoted=True,
        ),
        _form(
            "payments",
            "olist_order_payments_dataset.csv",
            "order_id payment_sequential payment_type payment_installments payment_value",
            key="order_id payment_sequential",
            quoted="order_id",
            header_quoted=True,
        ),
        _form(
            "reviews",
            "olist_order_reviews_dataset.csv",
            "review_id order_id review_score review_comment_title review_comment_message "
            "review_creation_date review_answer_timestamp",
            key="review_id order_id",
        ),
        _form(
            "customers",
            "olist_customers_dataset.csv",
            "customer_id customer_unique_id customer_zip_code_prefix customer_city customer_state",
            key="customer_id",
            quoted="customer_id customer_unique_id customer_zip_code_prefix",
            header_quoted=True,
        ),
        _form(
            "products",
            "olist_products_dataset.csv",
            "product_id product_category_name product_name_lenght product_description_lenght product_photos_qty "
            "product_weight_g product_length_cm product_height_cm product_width_cm",
            key="product_id",
            quoted="product_id",
            header_quoted=True,
        ),
        _form(
            "sellers",
            "olist_sellers_dataset.csv",
            "seller_id seller_zip_code_prefix seller_city seller_state",
            key="seller_id",
            quoted="seller_id seller_zip_code_prefix",
            header_quoted=True,
        ),
        _form(
            "geolocation",
            "olist_geolocation_dataset.csv",
            "geolocation_zip_code_prefix geolocation_lat geolocation_lng geolocation_city geolocation_state",
        ),
        _form(
            "category_translation",
            "product_category_name_translation.csv",
            "product_category_name product_category_name_english",
            key="product_category_name",
            dos=True,
        ),
    )
}
