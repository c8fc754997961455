"""What each type of resource is made of, one module per family of services.

A model reads properties and calls the APIs of the local AWS, whose clients check names and types of what they are
given. What no API here holds it notes (`Wanted.note`), and the rehearsal tells it as not proven.
"""

import importlib

FAMILIES = (
    "alarms",
    "compute",
    "database",
    "functions",
    "glue",
    "identity",
    "messages",
    "network",
    "storage",
    "streaming",
)


def load() -> None:
    """Declares all models."""
    for family in FAMILIES:
        importlib.import_module(f"{__name__}.{family}")
