"""Watch models: windows of the score log and drift between them."""
