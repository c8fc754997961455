"""Named fakes: each stands for something real and passes the same tests, or fails on purpose in one named way."""
