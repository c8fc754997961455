"""Asks MSK for the addresses of its brokers while it is deployed: CloudFormation does not tell them."""
