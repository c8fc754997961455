"""Apache Kafka on this machine: its published jars, brokers in KRaft mode on loopback, a proxy that disturbs them."""
