"""The rehearsal: the unmodified CDK command line deploys every stack to an AWS of this machine; events live there."""
