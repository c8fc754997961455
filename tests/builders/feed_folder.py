"""A folder of a shop's nine CSV files, one good record in each."""

from collections.abc import Iterable
from pathlib import Path

from local.shop import FORMS

ORDER = "0123456789abcdef0123456789abcdef"


OTHER = "fedcba9876543210fedcba9876543210"


ROWS = {
    "orders": [f"{ORDER},c1,delivered,2018-05-01 10:00:00,2018-05-01 10:10:00,,,2018-05-20 00:00:00"],
    "order_items": [f"{ORDER},1,p1,s1,2018-05-05 10:10:00,58.90,13.29"],
    "payments": [f"{ORDER},1,credit_card,8,72.19"],
    "reviews": [
        f'r1,{ORDER},5,,"Chegou antes.\nObrigado, ""amei"".",2018-05-11 00:00:00,2018-05-12 03:43:48'
    ],
    "customers": ["c1,u1,01310,sao paulo,SP"],
    "products": ["p1,beleza,40,287,1,225,16,10,14"],
    "sellers": ["s1,13023,campinas,SP"],
    "geolocation": ["01310,-23.5,-46.6,são paulo,SP"],
    "category_translation": ["beleza,beauty"],
}


def a_folder(folder: Path, **rows: Iterable[str]) -> Path:
    """A folder of nine files, one good record in each but where `rows` gives others."""
    for entity, form in FORMS.items():
        lines = [",".join(form.columns), *rows.get(entity, ROWS[entity])]
        (folder / form.name).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return folder


def replace(folder: Path, entity: str, content: bytes) -> None:
    (folder / FORMS[entity].name).write_bytes(content)
