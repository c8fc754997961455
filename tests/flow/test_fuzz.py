"""Six hundred broken files, always the same: faults 25 and 29. `make fuzz` goes on from there."""

from tests.fuzz import fuzz


def test_fault_25_no_broken_file_crashes_hangs_or_loses_a_row() -> None:
    counts, defects = fuzz(0, 600)
    assert defects == []
    assert counts.total() == 600
    assert counts["UNREADABLE"] > 300
    assert counts["rows"] > 30, "some are broken where it does not matter"
