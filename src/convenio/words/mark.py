"""The mark that puts a text into the catalogue."""


def N_(text: str) -> str:
    """`text` itself: marks it where it is written, to be translated where it is shown."""
    return text
