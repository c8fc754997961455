"""The rehearsal: the unmodified CDK command line deploys every stack to an AWS of this machine, and events live in it."""
