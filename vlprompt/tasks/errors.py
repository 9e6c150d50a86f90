"""What can go wrong with the images; each message is one sentence that says what to do."""


class FetchError(RuntimeError):
    """The emoji packages could not be brought."""


class DrawingsError(RuntimeError):
    """The drawings are missing or damaged."""
