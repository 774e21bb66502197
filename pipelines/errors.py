"""What ends a command with one message for people."""


class RunError(Exception):
    """A run that can't start or did not succeed; the message is for people."""
