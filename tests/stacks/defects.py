"""The defects that are seeded, each with the test that must see it. Whoever adds a promise adds its defect."""

from tests.stacks import defects_of_data, defects_of_flow, defects_of_watch

DEFECTS = [
    *defects_of_data.STORAGE,
    *defects_of_flow.NETWORK,
    *defects_of_data.DATABASE,
    *defects_of_data.CATALOG,
    *defects_of_flow.STREAMING,
    *defects_of_flow.PROCESSING,
    *defects_of_flow.INGEST,
    *defects_of_watch.OBSERVABILITY,
]
