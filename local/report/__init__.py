"""The report page: where every row is, as one HTML file."""

from local.report.data import (
    EntityCounts,
    ExampleRow,
    Headlines,
    Month,
    QuarantineReason,
    Refused,
    ReportData,
    Segment,
    Sent,
    StateLogistics,
    Warned,
)
from local.report.page import render_report

__all__ = [
    "EntityCounts",
    "ExampleRow",
    "Headlines",
    "Month",
    "QuarantineReason",
    "Refused",
    "ReportData",
    "Segment",
    "Sent",
    "StateLogistics",
    "Warned",
    "render_report",
]
