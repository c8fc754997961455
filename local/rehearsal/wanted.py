"""A resource as a template wants it. Its model reads every property, or the resource is refused: none is skipped."""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakehouse.errors import NexusError
from local.rehearsal.journal import Entry

# What CloudFormation makes of a name: stack, logical id and twelve characters that nobody can guess
_SUFFIX = 12
ACCOUNT = "123456789012"  # moto's own, for keys that nobody gave out


class TemplateRefused(NexusError):
    """The local AWS does not know what this template wants. Its stack fails, as it would for an error on AWS."""


@dataclass(frozen=True)
class Made:
    """What became of a resource: its physical id, which `Ref` gives, and what `Fn::GetAtt` may ask for."""

    ref: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Home:
    """Where resources are made: clients of the local AWS, and where its database is."""

    client: Callable[[str], Any]
    find: Callable[[str, str, str], Entry | None]  # the newest of a type whose attribute is this
    account: str
    region: str
    endpoint: str
    folder: Path  # for what functions unpack and write
    ledger_url: str  # of the ledger's owner, in the embedded PostgreSQL

    def arn(self, service: str, what: str) -> str:
        """`arn:aws:service:region:account:what`."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{what}"


class Wanted:
    """Properties with their intrinsic functions resolved. What is read counts as known to the model."""

    def __init__(
        self, home: Home, type_: str, logical_id: str, stack: tuple[str, str], properties: Mapping[str, Any]
    ) -> None:
        self.home = home
        self.type = type_
        self.logical_id = logical_id
        self.stack_name, self.stack_id = stack
        self._properties = properties
        self._read: set[str] = set()
        self.unheld: list[str] = []

    def client(self, service: str) -> Any:
        """A boto3 client of the local AWS."""
        return self.home.client(service)

    def __getitem__(self, name: str) -> Any:
        if name not in self._properties:
            raise TemplateRefused(f"{self.type} {self.logical_id} has no {name}")
        return self.get(name)

    def get(self, name: str, otherwise: Any = None) -> Any:
        """The property, or `otherwise`."""
        self._read.add(name)
        return self._properties.get(name, otherwise)

    def pick(self, *names: str) -> dict[str, Any]:
        """Those that are there, by their names, which an API shares with CloudFormation."""
        self._read.update(names)
        return {name: self._properties[name] for name in names if name in self._properties}

    def integers(self, *names: str) -> dict[str, int]:
        """As `pick`; CloudFormation takes numbers in quotes, the APIs do not."""
        return {name: int(value) for name, value in self.pick(*names).items()}

    def note(self, *names: str) -> dict[str, Any]:
        """As `pick`, for what no API here holds: it is told as not proven."""
        found = self.pick(*names)
        self.unheld += found
        return found

    def read_back(self, told: Mapping[str, Any], *names: str) -> None:
        """Notes those that an API has taken, but does not tell again as they were wanted."""
        self.unheld += [
            name
            for name in names
            if name in self._properties and not holds(self._properties[name], told.get(name))
        ]

    def unknown(self) -> list[str]:
        """Properties that the model has not read."""
        return sorted(set(self._properties) - self._read)

    def properties(self) -> Mapping[str, Any]:
        """All of them, without counting as read."""
        return self._properties

    def given_name(self, most: int = 255) -> str:
        """The name that CloudFormation would make up, within a length; always the same one for the same resource."""
        told = hashlib.sha256(f"{self.stack_name}/{self.logical_id}".encode()).hexdigest()[:_SUFFIX]
        begin = f"{self.stack_name}-{self.logical_id}"[: most - _SUFFIX - 1].rstrip("-")
        return f"{begin}-{told}"

    def tags(self, key: str = "Key", value: str = "Value", name: str = "Tags") -> list[dict[str, str]]:
        """The tags as most APIs take them."""
        return [{key: tag["Key"], value: tag["Value"]} for tag in self.get(name, [])]

    def tag_map(self) -> dict[str, str]:
        """The tags as newer APIs take them."""
        return {tag["Key"]: tag["Value"] for tag in self.get("Tags", [])}

    def document(self, name: str) -> str:
        """A policy or another JSON document, as the text that APIs take."""
        return json.dumps(self[name])


Model = Callable[[Wanted], Made]
_models: dict[str, Model] = {}


def model(*types: str) -> Callable[[Model], Model]:
    """Declares what makes resources of these types."""

    def declare(make: Model) -> Model:
        _models.update(dict.fromkeys(types, make))
        return make

    return declare


def known_types() -> frozenset[str]:
    """What the local AWS can make."""
    return frozenset(_models)


def make(wanted: Wanted) -> Made:
    """Makes it. TemplateRefused when nobody knows its type, or one of its properties."""
    make_one = _models.get(wanted.type) or (_models["Custom"] if wanted.type.startswith("Custom::") else None)
    if make_one is None:
        raise TemplateRefused(
            f"{wanted.type} ({wanted.logical_id}): nobody knows this type. Add a model to local/rehearsal/models"
        )
    made = make_one(wanted)
    if unknown := wanted.unknown():
        raise TemplateRefused(
            f"{wanted.type} {wanted.logical_id}: its model does not know {', '.join(unknown)}. "
            "Teach it in local/rehearsal/models: a property that is skipped would count as proven"
        )
    return made


def holds(wanted: Any, told: Any) -> bool:
    """Whether what an API tells has all that was wanted; it may tell more, and numbers instead of text."""
    if isinstance(wanted, Mapping):
        return isinstance(told, Mapping) and all(
            holds(value, told.get(name)) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(told, list)
            and len(wanted) == len(told)
            and all(holds(one, other) for one, other in zip(wanted, told, strict=True))
        )
    return str(wanted).lower() == str(told).lower() or _is_number(wanted, told)


def _is_number(wanted: Any, told: Any) -> bool:
    try:
        return float(wanted) == float(told)
    except (TypeError, ValueError):
        return False


def client_cache(connect: Callable[[str], Any]) -> Callable[[str], Any]:
    """One client per service; stacks are made by several threads."""
    clients: dict[str, Any] = {}
    lock = threading.Lock()

    def get(service: str) -> Any:
        with lock:
            if service not in clients:
                clients[service] = connect(service)
            return clients[service]

    return get
