"""A shop of our own: nine CSV files in the shape of Olist's, with seasons, defects and an account of them."""

from local.shop.forms import FORMS, FileForm
from local.shop.generator import EXPECTATION, Shop, generate_shop

__all__ = ["EXPECTATION", "FORMS", "FileForm", "Shop", "generate_shop"]
