"""The gRPC host: checks the shape of events, puts them into Kafka, acknowledges after the broker did."""
