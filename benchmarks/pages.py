"""Pages of prose that have a measured part, between two markers."""

BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"


def replaced(text: str, new: str) -> str:
    """The page with another text between its markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page must have the lines {BEGIN.strip()} and {END.strip()}")
    return before + begin + new + end + after
