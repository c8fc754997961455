"""Calls of MSK's API that moto has not: configurations, topics, addresses of brokers. No broker runs behind them."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from moto.kafka import urls
from moto.kafka.models import FakeKafkaCluster, KafkaBackend
from moto.kafka.responses import KafkaResponse

from local.moto_hooks import Hook, Original

_configurations: dict[str, dict[str, Any]] = {}
_topics: dict[tuple[str, str], dict[str, Any]] = {}
_IAM_PORT = 9098


def install() -> None:
    """Before the server makes its application of Kafka."""
    answers: dict[str, Callable[[Any], str]] = {
        "create_configuration": _create_configuration,
        "describe_configuration_revision": _describe_revision,
        "create_topic": _create_topic,
        "describe_topic": _describe_topic,
        "list_topics": _list_topics,
        "get_bootstrap_brokers": _brokers,
    }
    for name, answer in answers.items():
        setattr(KafkaResponse, name, answer)
    urls.url_paths["{0}/v1/configurations$"] = KafkaResponse.dispatch
    urls.url_paths["{0}/v1/configurations/(?P<arn>.+)$"] = KafkaResponse.dispatch


def hooks() -> tuple[Hook, ...]:
    """A cluster's ARN as AWS makes it, and all of its properties, of which moto keeps three."""
    return (
        Hook(FakeKafkaCluster, "_generate_arn", _cluster_arn),
        Hook(KafkaBackend, "create_cluster_v2", _keep_all),
    )


_KEPT = {
    "clientAuthentication": "client_authentication",
    "configurationInfo": "configuration_info",
    "encryptionInfo": "encryption_info",
    "enhancedMonitoring": "enhanced_monitoring",
    "loggingInfo": "logging_info",
    "openMonitoring": "open_monitoring",
}


def _keep_all(original: Original, backend: KafkaBackend, **wanted: Any) -> Any:
    made = original(backend, **wanted)
    for name, attribute in _KEPT.items():
        setattr(backend.clusters[made[0]], attribute, (wanted["provisioned"] or {}).get(name))
    return made


def _cluster_arn(original: Original, cluster: FakeKafkaCluster) -> str:
    """Name and incarnation are parts of the ARNs of its topics and groups."""
    whole: str = original(cluster)
    begin, incarnation = whole.rsplit("/", 1)
    return f"{begin}/{cluster.cluster_name}/{incarnation}-1"


def _part(response: Any, before: str, after: str = "") -> str:
    """The part of the path between two words; ARNs come with their slashes encoded, or not."""
    found = unquote(response.parsed_url.path).split(before, 1)[1]
    return found.rsplit(after, 1)[0] if after else found


def _create_configuration(response: Any) -> str:
    name = response._get_param("name")
    arn = f"arn:aws:kafka:{response.region}:{response.current_account}:configuration/{name}/1"
    revision = {"revision": 1, "creationTime": "2020-01-01T00:00:00Z"}
    _configurations[arn] = {
        **revision,
        "arn": arn,
        "serverProperties": response._get_param("serverProperties"),
    }
    return json.dumps({"arn": arn, "name": name, "state": "ACTIVE", "latestRevision": revision})


def _describe_revision(response: Any) -> str:
    return json.dumps(_configurations[_part(response, "/configurations/", "/revisions/")])


def _create_topic(response: Any) -> str:
    cluster = _part(response, "/clusters/", "/topics")
    name = response._get_param("topicName")
    arn = f"{cluster.replace(':cluster/', ':topic/')}/{name}"
    _topics[(cluster, name)] = {
        "topicArn": arn,
        "topicName": name,
        "partitionCount": response._get_param("partitionCount"),
        "replicationFactor": response._get_param("replicationFactor"),
        "configs": response._get_param("configs"),
        "status": "ACTIVE",
    }
    return json.dumps({"topicArn": arn, "topicName": name, "status": "ACTIVE"})


def _describe_topic(response: Any) -> str:
    cluster, name = _part(response, "/clusters/").rsplit("/topics/", 1)
    return json.dumps(_topics[(cluster, name)])


def _list_topics(response: Any) -> str:
    cluster = _part(response, "/clusters/", "/topics")
    return json.dumps({"topics": [topic for (of, _), topic in _topics.items() if of == cluster]})


def _brokers(response: Any) -> str:
    cluster = response.kafka_backend.clusters[_part(response, "/clusters/", "/bootstrap-brokers")]
    hosts = [
        f"b-{number}.{cluster.cluster_name}.kafka.{response.region}.amazonaws.com:{_IAM_PORT}"
        for number in range(1, cluster.number_of_broker_nodes + 1)
    ]
    return json.dumps({"bootstrapBrokerStringSaslIam": ",".join(hosts)})
