"""`make smoke ENV=dev`: what only a real account can prove, after a deployment."""
