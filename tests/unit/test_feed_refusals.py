"""What the feed says of a folder that it cannot read."""

import json
import os
from pathlib import Path

import pytest

from lakehouse.errors import InputError
from local.feed import open_feed
from local.shop import FORMS, generate_shop
from tests.builders.feed_folder import ORDER, ROWS, a_folder, replace


def says(folder: Path, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        open_feed(folder)
    for word in words:
        assert word in str(caught.value)


def test_feed_says_that_the_folder_is_missing(tmp_path: Path) -> None:
    says(tmp_path / "nowhere", "nowhere does not exist", "nine CSV files")


def test_feed_says_that_the_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    says(tmp_path / "file", "is a file", "nine CSV files")


def test_feed_names_missing_files_and_what_is_there_instead(tmp_path: Path) -> None:
    a_folder(tmp_path)
    (tmp_path / FORMS["payments"].name).rename(tmp_path / "payments.csv")
    says(tmp_path, "lacks olist_order_payments_dataset.csv", "payments.csv", "exactly these names")


def test_feed_names_missing_columns_and_those_found(tmp_path: Path) -> None:
    a_folder(tmp_path)
    replace(
        tmp_path,
        "payments",
        b"order_id,payment_sequential,kind,payment_installments,payment_value\n1,1,a,1,1\n",
    )
    says(
        tmp_path,
        FORMS["payments"].name,
        "lacks the column payment_type",
        "It has order_id, payment_sequential, kind",
    )


def test_feed_names_a_column_that_stands_twice(tmp_path: Path) -> None:
    header = ",".join((*FORMS["sellers"].columns, "seller_city"))
    a_folder(tmp_path)
    replace(tmp_path, "sellers", f"{header}\n1,2,3,4,5\n".encode())
    says(tmp_path, FORMS["sellers"].name, "seller_city twice")


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_feed_names_a_wrong_delimiter(tmp_path: Path, sign: str, name: str) -> None:
    a_folder(tmp_path)
    replace(tmp_path, "customers", sign.join(FORMS["customers"].columns).encode() + b"\n1\n")
    says(tmp_path, FORMS["customers"].name, f"separates its columns by {name}", "commas")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf"])
def test_feed_says_that_a_file_is_empty(tmp_path: Path, content: bytes) -> None:
    a_folder(tmp_path)
    replace(tmp_path, "orders", content)
    says(tmp_path, FORMS["orders"].name, "is empty")


def test_feed_says_that_a_file_has_no_records(tmp_path: Path) -> None:
    a_folder(tmp_path)
    replace(tmp_path, "geolocation", ",".join(FORMS["geolocation"].columns).encode() + b"\r\n")
    says(tmp_path, FORMS["geolocation"].name, "a header and no records")


def test_feed_names_file_and_line_of_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    a_folder(tmp_path)
    path = tmp_path / FORMS["reviews"].name
    path.write_bytes(path.read_bytes() + f"r2,{ORDER},5,,não gostei,2018-05-11 00:00:00,\n".encode("latin-1"))
    says(tmp_path, f"{path}, line 4: byte 0xE3 is not UTF-8", "iconv -f LATIN1")


def test_feed_names_a_header_that_is_not_utf8(tmp_path: Path) -> None:
    a_folder(tmp_path)
    replace(tmp_path, "orders", ",".join(FORMS["orders"].columns).encode("utf-16"))
    says(tmp_path, FORMS["orders"].name, "line 1: byte 0xFF is not UTF-8")


def test_feed_leaves_bytes_in_batch_files_to_the_loader(tmp_path: Path) -> None:
    a_folder(tmp_path)
    path = tmp_path / FORMS["sellers"].name
    path.write_bytes(path.read_bytes() + "s2,13023,são paulo,SP\n".encode("latin-1"))
    assert open_feed(tmp_path).batch_files["sellers"] == path


@pytest.mark.parametrize("cells", ['r2,"open', 'r2,"closed"early', '"' + "x" * 200_000])
def test_feed_names_the_line_where_quotes_stop_making_sense(tmp_path: Path, cells: str) -> None:
    a_folder(tmp_path, reviews=[*ROWS["reviews"], cells])
    says(tmp_path, FORMS["reviews"].name, "line 4: the record that starts here cannot be read", "quote")


def test_feed_stops_when_a_file_changes_under_it(tmp_path: Path) -> None:
    feed = open_feed(a_folder(tmp_path))
    path = tmp_path / FORMS["orders"].name
    os.utime(path, ns=(1, 1))
    with pytest.raises(InputError, match=r"has changed while it was read. Run the command again"):
        next(feed.stream())


def test_feed_says_that_shop_json_tells_of_other_files(tmp_path: Path) -> None:
    generate_shop(tmp_path, seed=3, orders=200)
    path = tmp_path / FORMS["orders"].name
    header, first, *rest = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join([header, *rest]), "utf-8")
    assert first
    says(tmp_path, "shop.json tells of", "Delete it")


def test_feed_says_that_shop_json_cannot_be_read(tmp_path: Path) -> None:
    (a_folder(tmp_path) / "shop.json").write_text("{")
    says(tmp_path, "shop.json cannot be read", "Delete it")


def test_feed_passes_over_a_shop_json_that_is_not_ours(tmp_path: Path) -> None:
    (a_folder(tmp_path) / "shop.json").write_text(json.dumps({"format": "another"}))
    assert open_feed(tmp_path).total == 4
