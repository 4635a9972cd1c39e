"""The command line, the flows, and the one place where real parts are wired together."""
