"""A person's way through Quarantine on a running lake: explain, write to a file, correct, preview, replay, follow."""

import csv
import json
from pathlib import Path

import pytest

from tests.flow.nexus import Nexus

SELLER = {
    "seller_id": "6560211a19b47992c3666cc44a7e94c0",
    "seller_zip_code_prefix": "13023",
    "seller_city": "campinas",
    "seller_state": "São Paulo",
}


@pytest.mark.timeout(600)  # fifteen processes, one after the other
def test_row_is_explained_corrected_replayed_and_followed(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    with Nexus(tmp_path / "lake") as nexus:
        nexus.run("up")
        sent = nexus.run("send", "sellers", json.dumps(SELLER))
        event = json.loads(sent.partition("Acknowledged")[0])["event_id"]
        nexus.wait_until_checked(event)
        [day] = nexus.json("quarantine", "list", "--by-day")
        assert (day["entity"], day["source"], day["rows"]) == ("sellers", "nexus-send", 1)
        assert f"Rules with rows: {day['rule']}" in nexus.run("quarantine", "explain", "sellers", "x", code=3)
        told = nexus.run("quarantine", "explain", event)
        assert "'São Paulo'" in told
        assert f"--rule {day['rule']}" in told
        nexus.run("quarantine", "show", "--entity", "sellers", "--csv", str(file))
        rows = list(csv.DictReader(file.read_text("utf-8").splitlines()))
        assert [row["event_id"] for row in rows] == [event]
        rows[0]["seller_state"] = "SP"
        with file.open("w", newline="") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        asked = ("--entity", "sellers", "--edits", str(file))
        assert nexus.json("quarantine", "preview", *asked)["passing"] == 1
        moved = nexus.json("quarantine", "replay", *asked, "--by", "ana")
        assert (moved["passing"], list(moved["moved"].values())) == (1, [1])
        again = nexus.json("quarantine", "replay", *asked, "--by", "bia", code=1)
        assert (again["moved"], again["unknown"]) == ({}, [rows[0]["position"]])
        found = nexus.run("where", event)
        assert "+r1.parquet" in found
        assert "seller_state, by ana" in found
        nexus.run("ledger", "check")
        assert "nexus down" in nexus.run("up", "--grpc-port", "1", "--log", "another", code=3)
        assert "runs already" in nexus.run("up", "--no-refresh")
        nexus.run("down")
        # nothing runs: one may still look
        assert nexus.json("quarantine", "preview", "--entity", "sellers", code=1)["judged"] == 0
        assert "nexus up" in nexus.run("quarantine", "replay", "--entity", "sellers", code=3)
