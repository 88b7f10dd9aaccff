"""How figures are printed: the median of the rounds with the lowest and highest beside it, in markdown."""


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def spread(values, digits):
    text = f"{median(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def ratio(ours, theirs):
    """Ours over theirs: of the medians, and the most and least favourable of all pairs."""
    if min(theirs) <= 0:
        return "-"
    pairs = [a / b for a in ours for b in theirs]
    text = f"{median(ours) / median(theirs):.2f}x"
    return text if len(pairs) == 1 else f"{text} ({min(pairs):.2f}-{max(pairs):.2f})"


def markdown(title, head, rows):
    """Lines of a section with one table; a row is a list of texts."""
    lines = [f"### {title}", "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]
