"""How long it takes from a pushed order to a row that can be read."""
