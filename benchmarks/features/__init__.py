"""How fast snapshots of the order features are built, beside SQL and pandas written by hand."""
