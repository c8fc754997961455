"""The first hop: events of a shop into Kafka, by gRPC or by the plain producer, acknowledged after the broker did."""
