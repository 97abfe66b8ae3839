"""Who may talk to the broker: accounts, SASL mechanisms, TLS."""
