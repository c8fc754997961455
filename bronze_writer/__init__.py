"""Land: Kafka → Bronze (`stream`) and CSV → Bronze (`load`), both by the writers' rule (`landing`)."""
