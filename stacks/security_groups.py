"""Who may talk to whom inside the network: every security group and every rule between them.

They live in the network stack because Lambda holds its network interfaces for half an hour after a function is gone: a
group of the function's own stack could not be deleted with it.
"""

from dataclasses import dataclass, fields
from typing import Self

from aws_cdk import aws_ec2 as ec2

from stacks.base import NexusStack

POSTGRES = 5432
KAFKA_IAM = 9098  # brokers' listener for IAM authentication, inside the VPC
KAFKA_EXPORTERS = (11001, 11002)  # JMX and node exporter of the brokers
GRPC_LISTENER = 443
GRPC_HOST = 8443
HEALTH = 8081
HTTPS = 443

_MEANINGS = {
    "functions": "Lambda functions that reach the ledger",
    "canary": "The canary, a client of the balancer",
    "database": "PostgreSQL of the ledger",
    "proxy": "RDS Proxy in front of the ledger",
    "kafka": "Kafka brokers",
    "connect": "Workers of MSK Connect",
    "ingest_balancer": "Balancer in front of the gRPC hosts",
    "ingest_hosts": "gRPC hosts",
    "writer_hosts": "Hosts that write Bronze",
    "airflow": "MWAA",
    "endpoints": "Private endpoints of AWS services",
}


@dataclass(frozen=True)
class SecurityGroups:
    """One group per kind of thing. None of them is open to the internet."""

    functions: ec2.SecurityGroup
    canary: ec2.SecurityGroup
    database: ec2.SecurityGroup
    proxy: ec2.SecurityGroup
    kafka: ec2.SecurityGroup
    connect: ec2.SecurityGroup
    ingest_balancer: ec2.SecurityGroup
    ingest_hosts: ec2.SecurityGroup
    writer_hosts: ec2.SecurityGroup
    airflow: ec2.SecurityGroup
    endpoints: ec2.SecurityGroup

    @classmethod
    def of(cls, stack: NexusStack, vpc: ec2.Vpc) -> Self:
        """The groups with all their rules."""
        groups = cls(**{field.name: _group(stack, vpc, field.name) for field in fields(cls)})
        groups._allow()
        for cidr in stack.settings.network.client_cidrs:
            groups.ingest_balancer.add_ingress_rule(
                ec2.Peer.ipv4(cidr), ec2.Port.tcp(GRPC_LISTENER), "Clients that send events"
            )
        return groups

    def _allow(self) -> None:
        _let(self.functions, self.database, POSTGRES, "The check hop asks the ledger")
        _let(self.functions, self.proxy, POSTGRES, "The check hop asks the ledger through the proxy")
        _let(self.proxy, self.database, POSTGRES, "The proxy asks the ledger")
        _let(self.airflow, self.database, POSTGRES, "DAGs claim Silver objects in the ledger")
        _let(self.airflow, self.proxy, POSTGRES, "DAGs claim Silver objects through the proxy")
        _let(self.ingest_balancer, self.ingest_hosts, GRPC_HOST, "Events from the balancer")
        _let(self.ingest_balancer, self.ingest_hosts, HEALTH, "Health checks of the balancer")
        _let(self.canary, self.ingest_balancer, GRPC_LISTENER, "The canary sends as clients do")
        _let(self.canary, self.database, POSTGRES, "The canary follows its events by the ledger")
        _let(self.canary, self.proxy, POSTGRES, "The canary asks the ledger through the proxy")
        for client, why in (
            (self.ingest_hosts, "gRPC hosts produce"),
            (self.writer_hosts, "The writer consumes"),
            (self.connect, "The sink connector consumes"),
        ):
            _let(client, self.kafka, KAFKA_IAM, why)
        for port in KAFKA_EXPORTERS:
            _let(self.writer_hosts, self.kafka, port, "The metrics agent scrapes the brokers")
        _let(self.airflow, self.airflow, None, "MWAA's parts talk to each other")
        for client in self._clients_of_aws():
            _let(client, self.endpoints, HTTPS, "Services of AWS by private endpoints")
            client.add_egress_rule(
                ec2.Peer.any_ipv4(),
                ec2.Port.tcp(HTTPS),
                "S3 by its gateway, and services without an endpoint",
            )

    def _clients_of_aws(self) -> tuple[ec2.SecurityGroup, ...]:
        return (
            self.functions,
            self.canary,
            self.ingest_hosts,
            self.writer_hosts,
            self.connect,
            self.airflow,
        )


def _group(stack: NexusStack, vpc: ec2.Vpc, name: str) -> ec2.SecurityGroup:
    return ec2.SecurityGroup(
        stack,
        "".join(part.capitalize() for part in name.split("_")) + "Group",
        vpc=vpc,
        description=f"{_MEANINGS[name]} ({stack.settings.environment})",
        allow_all_outbound=False,
        disable_inline_rules=True,  # the ids of rules stay the same when others come and go
    )


def _let(client: ec2.SecurityGroup, server: ec2.SecurityGroup, port: int | None, why: str) -> None:
    """Both directions of one permission: out of the client, into the server."""
    what = ec2.Port.all_traffic() if port is None else ec2.Port.tcp(port)
    client.add_egress_rule(server, what, why)
    server.add_ingress_rule(client, what, why)
