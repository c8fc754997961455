"""The canary: sends events as a shop does, follows each to its verdict, and looks at what they passed."""
