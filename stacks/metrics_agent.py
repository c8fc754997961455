"""CloudWatch's agent on hosts: what it collects, and how it gets there without an address to download it from."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import aws_ssm as ssm

from stacks.base import NexusStack

# Within a minute: scaling and alarms look at minutes.
_EVERY_S = 60
_CONFIG = "/etc/nexus/agent.json"
_SCRAPES = "/etc/nexus/prometheus.yaml"
_CONTROL = "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"


def agent_files(service: str, namespace: str, log_group: str, port: int) -> Mapping[str, str]:
    """Its configuration and that of its Prometheus scraper, as files of /etc/nexus."""
    return {
        "agent.json": json.dumps(_configuration(service, namespace, log_group), separators=(",", ":")),
        "prometheus.yaml": json.dumps(_scrapes(service, port), indent=1),  # JSON is YAML
    }


def _configuration(service: str, namespace: str, log_group: str) -> Any:
    def lines_of(path: str, stream: str) -> Any:
        return {
            "file_path": path,
            "log_group_name": log_group,
            "log_stream_name": f"{{instance_id}}/{stream}",
        }

    dimensions = {"service": service}
    return {
        "agent": {"metrics_collection_interval": _EVERY_S, "omit_hostname": True},
        "metrics": {
            "namespace": namespace,
            "metrics_collected": {
                "mem": {"measurement": ["mem_used_percent"], "append_dimensions": dimensions},
                "disk": {
                    "measurement": ["used_percent"],
                    "resources": ["/"],
                    "append_dimensions": dimensions,
                },
            },
        },
        "logs": {
            "logs_collected": {
                "files": {
                    "collect_list": [
                        lines_of("/var/log/nexus/service.log", "service"),
                        lines_of("/var/log/cloud-init-output.log", "setup"),
                    ]
                }
            },
            "metrics_collected": {
                "prometheus": {
                    "prometheus_config_path": _SCRAPES,
                    "log_group_name": log_group,
                    "emf_processor": {
                        "metric_namespace": namespace,
                        "metric_declaration": [
                            {
                                "source_labels": ["job"],
                                "label_matcher": "^nexus$",
                                "dimensions": [["service"]],
                                "metric_selectors": ["^nexus_"],
                            }
                        ],
                    },
                }
            },
        },
    }


def _scrapes(service: str, port: int) -> Any:
    every = f"{_EVERY_S}s"
    target = {"targets": [f"127.0.0.1:{port}"], "labels": {"service": service}}
    return {
        "global": {"scrape_interval": every},
        "scrape_configs": [{"job_name": "nexus", "sample_limit": 1000, "static_configs": [target]}],
    }


def add_agent(stack: NexusStack, groups: Sequence[str]) -> None:
    """Installs and starts it on every host of these auto scaling groups, by Systems Manager, which Ubuntu's image has.

    The newest version: nothing of ours depends on it, and its security fixes should come by themselves.
    """
    steps = [
        {
            "action": "aws:configurePackage",
            "name": "install",
            "inputs": {"name": "AmazonCloudWatchAgent", "action": "Install"},
        },
        {
            "action": "aws:runShellScript",
            "name": "start",
            "inputs": {
                "timeoutSeconds": "600",
                "runCommand": [
                    f"until [ -s {_CONFIG} ]; do sleep 2; done",  # written by the host's first script
                    f"{_CONTROL} -a fetch-config -m ec2 -s -c file:{_CONFIG}",
                ],
            },
        },
    ]
    document = ssm.CfnDocument(
        stack,
        "MetricsAgent",
        name=stack.names.of("metrics-agent"),
        document_type="Command",
        update_method="NewVersion",
        content={
            "schemaVersion": "2.2",
            "description": "Installs CloudWatch's agent and starts it with the host's own configuration",
            "mainSteps": steps,
        },
    )
    ssm.CfnAssociation(
        stack,
        "MetricsAgentOnHosts",
        association_name=stack.names.of("metrics-agent"),
        name=document.ref,
        targets=[ssm.CfnAssociation.TargetProperty(key="tag:aws:autoscaling:groupName", values=list(groups))],
    )
