"""librdkafka's mock Kafka cluster, hosted in this process through ctypes on the confluent-kafka wheel's library.

One broker on 127.0.0.1. It keeps 5 MB per partition and silently drops what is older, does not de-duplicate
idempotent producers, keeps the producer's timestamps, and forgets everything when it ends.
"""

import ctypes
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lakehouse.errors import RuntimeFault

BROKERS = 1
ALL_BROKERS = -1
PRODUCER = 0  # enum rd_kafka_type_t: the mock cluster wants some client to live in
LOG_WARNING = "4"  # syslog level; below it librdkafka tells of every connection
ERROR_TEXT_BYTES = 512

# level (syslog: 3 is an error), one line of text
Logger = Callable[[int, str], None]
_LOG_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)

_SIGNATURES: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "rd_kafka_conf_new": (ctypes.c_void_p, ()),
    "rd_kafka_conf_set": (
        ctypes.c_int,
        (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t),
    ),
    "rd_kafka_conf_set_log_cb": (None, (ctypes.c_void_p, _LOG_CALLBACK)),
    "rd_kafka_new": (ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)),
    "rd_kafka_destroy": (None, (ctypes.c_void_p,)),
    "rd_kafka_err2str": (ctypes.c_char_p, (ctypes.c_int,)),
    "rd_kafka_mock_cluster_new": (ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_int)),
    "rd_kafka_mock_cluster_destroy": (None, (ctypes.c_void_p,)),
    "rd_kafka_mock_cluster_bootstraps": (ctypes.c_char_p, (ctypes.c_void_p,)),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, (ctypes.c_void_p, ctypes.c_int32)),
    "rd_kafka_mock_topic_create": (
        ctypes.c_int,
        (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int),
    ),
    "rd_kafka_mock_broker_set_down": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_int32)),
    "rd_kafka_mock_broker_set_up": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_int32)),
    "rd_kafka_mock_broker_set_rtt": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_int32, ctypes.c_int)),
    "rd_kafka_mock_push_request_errors_array": (
        None,
        (ctypes.c_void_p, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int)),
    ),
    "rd_kafka_mock_clear_request_errors": (None, (ctypes.c_void_p, ctypes.c_int16)),
}


class MockCluster:
    """Runs from construction until `close`. Its methods may be called from any thread.

    `log` is called from librdkafka's own threads.
    """

    def __init__(self, log: Logger) -> None:
        self._library = load_library()
        self._client = _new_client(self._library, log_callback := _LOG_CALLBACK(_relay(log)))
        self._log_callback = log_callback  # librdkafka holds only its address
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, BROKERS)
        if not self._cluster:
            raise RuntimeFault("The embedded broker found no port of 127.0.0.1 to listen on. Is loopback up?")
        # 3 s by default, made for groups of many; ours has one member, which would wait for nobody.
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:port`, the same for the life of the cluster."""
        address: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return address.decode()

    def create_topic(self, name: str, partitions: int) -> None:
        """Must come before any client asks for it: a topic made by asking has four partitions."""
        code = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, BROKERS)
        self._check(code, f"topic {name} with {partitions} partitions")

    def go_down(self) -> None:
        """Drops all connections and refuses new ones. What was acknowledged stays."""
        self._check(self._library.rd_kafka_mock_broker_set_down(self._cluster, ALL_BROKERS), "broker down")

    def come_up(self) -> None:
        """Accepts connections again, with all that was acknowledged before."""
        self._check(self._library.rd_kafka_mock_broker_set_up(self._cluster, ALL_BROKERS), "broker up")

    def delay_answers(self, milliseconds: int) -> None:
        """Every answer waits this long; 0 ends it."""
        code = self._library.rd_kafka_mock_broker_set_rtt(self._cluster, ALL_BROKERS, milliseconds)
        self._check(code, f"delay of {milliseconds} ms")

    def fail_next(self, api: int, errors: Sequence[int]) -> None:
        """The next requests of that kind fail with these codes, one each; 0 lets one pass.

        `api` is Kafka's ApiKey (0 Produce, 1 Fetch, 8 OffsetCommit); -195 cuts the connection instead.
        """
        array = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, api, len(errors), array)

    def stop_failing(self, api: int) -> None:
        """Forgets the failures of that kind of request that have not happened yet."""
        self._library.rd_kafka_mock_clear_request_errors(self._cluster, api)

    def close(self) -> None:
        """Idempotent. All records are gone afterwards."""
        if self._cluster:
            self._library.rd_kafka_mock_cluster_destroy(self._cluster)
            self._library.rd_kafka_destroy(self._client)
            self._cluster = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check(self, code: int, what: str) -> None:
        if code:
            text: bytes = self._library.rd_kafka_err2str(code)
            raise RuntimeFault(f"The embedded broker refuses {what}: {text.decode()} ({code}).")


def load_library() -> ctypes.CDLL:
    """The wheel's librdkafka with the mock cluster's functions declared. Raises RuntimeFault."""
    path = find_library()
    try:
        library = ctypes.CDLL(str(path))
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise RuntimeFault(
            f"{path} cannot host the embedded broker: {error}. Install the pinned requirements again, "
            "or give a real Kafka with --broker HOST:PORT."
        ) from error
    return library


def find_library() -> Path:
    """Where the installed confluent-kafka wheel keeps its librdkafka: beside itself on Linux, inside on macOS."""
    spec = importlib.util.find_spec("confluent_kafka")
    places: list[str] = []
    for package in map(Path, (spec.submodule_search_locations or ()) if spec else ()):
        for folder, pattern in (
            (package.parent / "confluent_kafka.libs", "librdkafka[-.]*so*"),
            (package / ".dylibs", "librdkafka[-.]*dylib"),
        ):
            places.append(str(folder))
            found = sorted(folder.glob(pattern))
            if found:
                return found[0]
    raise RuntimeFault(
        "No librdkafka for the embedded broker in the confluent-kafka package "
        f"(looked in {', '.join(places) or 'no place: it is not installed'}). "
        "Install the wheel from the requirements, or give a real Kafka with --broker HOST:PORT."
    )


def _new_client(library: ctypes.CDLL, log_callback: object) -> int:
    conf = library.rd_kafka_conf_new()
    text = ctypes.create_string_buffer(ERROR_TEXT_BYTES)
    library.rd_kafka_conf_set(conf, b"log_level", LOG_WARNING.encode(), text, ERROR_TEXT_BYTES)
    library.rd_kafka_conf_set_log_cb(conf, log_callback)
    client: int | None = library.rd_kafka_new(PRODUCER, conf, text, ERROR_TEXT_BYTES)
    if not client:
        raise RuntimeFault(f"librdkafka does not start: {text.value.decode()}")
    return client


def _relay(log: Logger) -> Callable[[int, int, bytes, bytes], None]:
    def relay(_client: int, level: int, facility: bytes, text: bytes) -> None:
        log(level, f"{facility.decode(errors='replace')}: {text.decode(errors='replace')}")

    return relay
