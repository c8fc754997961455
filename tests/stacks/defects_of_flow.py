"""Defects in what moves data: the network, Kafka, the check hop, hosts."""

from tests.stacks.mutations import Defect
from tests.stacks.seeding import allow, drop, opened, put, remove, server_property, unkept

QUEUE = "AWS::SQS::Queue"
CLUSTER = "AWS::MSK::Cluster"
TOPIC = "AWS::MSK::Topic"
TEMPLATE = "AWS::EC2::LaunchTemplate"

NETWORK = [
    Defect(
        "postgres is open to the world",
        "network",
        opened(5432),
        "test_network::test_network_lets_nobody_in_from_everywhere",
    ),
    Defect(
        "kafka is open to the world",
        "network",
        opened(9098),
        "test_network::test_network_lets_nobody_in_from_everywhere",
    ),
    Defect(
        "a rule between groups is missing",
        "network",
        remove("AWS::EC2::SecurityGroupIngress", ToPort=5432),
        "test_network::test_network_opens_these_ways_in_both_directions_and_no_others",
        arguments={
            "kind": "AWS::EC2::SecurityGroupIngress",
            "own": "GroupId",
            "other": "SourceSecurityGroupId",
        },
    ),
    Defect(
        "a rule between groups opens all ports above its own",
        "network",
        put("AWS::EC2::SecurityGroupIngress", "ToPort", 65535, FromPort=9098),
        "test_network::test_network_opens_these_ways_in_both_directions_and_no_others",
        arguments={
            "kind": "AWS::EC2::SecurityGroupIngress",
            "own": "GroupId",
            "other": "SourceSecurityGroupId",
        },
    ),
    Defect(
        "a private subnet has no way out",
        "network",
        drop("AWS::EC2::Route", "NatGatewayId"),
        "test_network::test_network_with_nat_goes_out_through_one_gateway",
    ),
    Defect(
        "the network's names are not resolved",
        "network",
        put("AWS::EC2::VPC", "EnableDnsHostnames", False),
        "test_network::test_network_resolves_names_in_the_range_of_its_environment",
    ),
    Defect(
        "flows are not logged",
        "network",
        remove("AWS::EC2::FlowLog"),
        "test_network::test_network_logs_all_flows_with_an_end",
    ),
    Defect(
        "flow logs are kept for ever",
        "network",
        drop("AWS::Logs::LogGroup", "RetentionInDays"),
        "test_observability::test_logs_are_kept_as_long_as_the_environment_says",
    ),
    Defect(
        "production gets a way to the internet",
        "network",
        lambda t: t["Resources"].update(Out={"Type": "AWS::EC2::InternetGateway"}),
        "test_network::test_network_with_endpoints_has_no_way_to_the_internet",
        environment="prod",
    ),
]
STREAMING = [
    Defect(
        "kafka elects unclean leaders",
        "streaming",
        server_property("unclean.leader.election.enable", "true"),
        "test_streaming::test_streaming_configuration_loses_nothing",
    ),
    Defect(
        "one copy is enough for an acknowledgement",
        "streaming",
        server_property("min.insync.replicas", "1"),
        "test_streaming::test_streaming_configuration_loses_nothing",
    ),
    Defect(
        "kafka lets in whoever comes",
        "streaming",
        put(CLUSTER, "ClientAuthentication.Unauthenticated.Enabled", True),
        "test_streaming::test_streaming_lets_in_only_roles_and_only_by_tls",
    ),
    Defect(
        "kafka takes plain text",
        "streaming",
        put(CLUSTER, "EncryptionInfo.EncryptionInTransit.ClientBroker", "TLS_PLAINTEXT"),
        "test_streaming::test_streaming_lets_in_only_roles_and_only_by_tls",
    ),
    Defect(
        "a topic has one copy",
        "streaming",
        put(TOPIC, "ReplicationFactor", 1),
        "test_streaming::test_every_entity_has_a_topic_of_three_replicas",
    ),
    Defect(
        "a topic is missing",
        "streaming",
        remove(TOPIC),
        "test_streaming::test_every_entity_has_a_topic_of_three_replicas",
    ),
    Defect(
        "a deployment waits an hour for its guard",
        "streaming",
        drop("Custom::ChangeGuard", "ServiceTimeout"),
        "test_app::test_stacks_custom_resources_are_answered_in_time_by_functions_of_ours",
    ),
    Defect(
        "the guard does not see what becomes of a topic",
        "streaming",
        put("Custom::ChangeGuard", "Things", {}),
        "test_streaming::test_every_topic_waits_for_the_guard_that_sees_what_it_will_become",
    ),
    Defect(
        "the cluster is deleted with its stack",
        "streaming",
        unkept(CLUSTER),
        "test_app::test_stacks_keep_what_is_precious",
    ),
]
PROCESSING = [
    Defect(
        "announcements are kept for four days",
        "processing",
        put(QUEUE, "MessageRetentionPeriod", 345600),
        "test_processing::test_every_queue_keeps_messages_for_fourteen_days_and_encrypts_them",
    ),
    Defect(
        "the check queue has no dead letters",
        "processing",
        drop(QUEUE, "RedrivePolicy", QueueName="nexus-dev-check-rows"),
        "test_processing::test_message_that_fails_is_set_aside_after_the_check_could_give_it_up",
    ),
    Defect(
        "a failed message fails its whole batch",
        "processing",
        drop("AWS::Lambda::EventSourceMapping", "FunctionResponseTypes"),
        "test_processing::test_queue_feeds_the_alias_and_takes_back_single_messages",
    ),
    Defect(
        "checks are unbounded",
        "processing",
        drop("AWS::Lambda::EventSourceMapping", "ScalingConfig"),
        "test_processing::test_checks_at_once_are_bounded_by_what_the_ledger_takes",
    ),
    Defect(
        "the check may delete bronze",
        "processing",
        allow("ReadBronze", owner="CheckRows", actions=["s3:DeleteObject"]),
        "test_iam::test_iam_roles_may_what_the_list_says_and_no_more",
    ),
    Defect(
        "a role has lost its boundary",
        "processing",
        drop("AWS::IAM::Role", "PermissionsBoundary"),
        "test_iam::test_iam_roles_stay_within_the_boundary",
    ),
    Defect(
        "a property is misspelt",
        "processing",
        put(QUEUE, "MessageRetentionPeriods", 1),
        "test_schemas::test_schemas_of_all_resources_are_kept",
    ),
]
INGEST = [
    Defect(
        "a host answers to the old metadata protocol",
        "ingest",
        put(TEMPLATE, "LaunchTemplateData.MetadataOptions.HttpTokens", "optional"),
        "test_ingest::test_hosts_have_closed_metadata_encrypted_disks_and_no_address",
        arguments={"service": "ingest"},
    ),
    Defect(
        "a host's disk is not encrypted",
        "ingest",
        put(TEMPLATE, "LaunchTemplateData.BlockDeviceMappings.0.Ebs.Encrypted", False),
        "test_ingest::test_hosts_have_closed_metadata_encrypted_disks_and_no_address",
        arguments={"service": "ingest"},
    ),
    Defect(
        "the balancer faces the internet",
        "ingest",
        put("AWS::ElasticLoadBalancingV2::LoadBalancer", "Scheme", "internet-facing"),
        "test_ingest::test_balancer_is_inside_the_network_and_speaks_http2_by_tls",
    ),
    Defect(
        "the balancer speaks no HTTP2",
        "ingest",
        drop("AWS::ElasticLoadBalancingV2::Listener", "AlpnPolicy"),
        "test_ingest::test_balancer_is_inside_the_network_and_speaks_http2_by_tls",
    ),
    Defect(
        "gRPC hosts read topics",
        "ingest",
        allow("WriteTopics", actions=["kafka-cluster:ReadData"]),
        "test_iam::test_iam_roles_may_what_the_list_says_and_no_more",
    ),
]
