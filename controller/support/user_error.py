"""The UserError: an expected failure whose text is one sentence for the person who can mend it."""


class UserError(Exception):
    """Something a person can mend; the text names the file, the tag or the setting, and what to do."""
