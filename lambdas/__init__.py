"""The functions that run on AWS as Lambdas, one package each; they meet in data only."""
