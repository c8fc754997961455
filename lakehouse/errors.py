"""The one tree of exceptions. Bad data is a value, never one of these; each message says what to do.

NexusError
├── ContractError      a contract file is wrong
├── LakeError          an object or key is not what the lake's rules allow
├── LedgerError        the ledger refuses or disagrees with the lake
│   └── LedgerAway     it does not answer at all
├── BrokerError        Kafka is away, or holds another history than the one landed
├── RegistryError      the schema registry is away or does not know an id
├── InputError         a file or argument given by a person cannot be used
├── SettingsError      the environment of a process is incomplete
└── RuntimeFault       something this machine was asked to run did not start or stop
"""


class NexusError(Exception):
    """Root of all errors the product raises on purpose. `str(error)` is one message for a person."""


class ContractError(NexusError):
    """A contract cannot be used: names the file, the place in it and the remedy."""

    def __init__(self, file: str, place: str, problem: str, remedy: str) -> None:
        super().__init__(f"{file}: {place}: {problem}. {remedy}")
        self.file, self.place, self.problem, self.remedy = file, place, problem, remedy


class LakeError(NexusError):
    """A key, object or metadata breaks the lake's rules."""


class LedgerError(NexusError):
    """The ledger is away, or what was asked contradicts what it holds."""


class LedgerAway(LedgerError):
    """Nobody answers: whatever else one would ask has to wait as well."""


class BrokerError(NexusError):
    """Kafka is away, or holds another history under the same log id."""


class RegistryError(NexusError):
    """The schema registry is away or does not know the id. Retried by hops, never taken for bad data."""


class InputError(NexusError):
    """A file, folder or argument a person gave cannot be used."""


class SettingsError(NexusError):
    """An environment variable is missing or cannot be read: names it and what it should hold."""


class RuntimeFault(NexusError):
    """A process, port or folder of this machine could not be used."""
