"""The one base of every error that is answered with a sentence and never with a traceback."""


class UserError(ValueError):
    """Something was given that cannot be used.

    The message is what a person reads: where it is, what was given, what is allowed, what to do.
    """
