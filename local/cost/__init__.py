"""What an environment costs a month, from its synthesized templates, a price file and an assumed load."""
