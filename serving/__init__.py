"""The socket: model card, scorer, registry, API and the batch sink."""
