"""How fast features reach the online store and the scorer, beside the limit of the machine."""
