"""Which series an expression of PromQL looks at, as far as our own rules and dashboards need it.

Not a parser: promtool is one. What is in quotes is put aside, then words are told apart by what
stands around them.
"""

import re

# Words that are no series where they stand alone.
WORDS = {
    "and", "or", "unless", "on", "ignoring", "by", "without", "bool", "offset",
    "group_left", "group_right",
}  # fmt: skip
MATCHER = re.compile(r'([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
SELECTOR = re.compile(r"(?<![\w:@.$\"])([A-Za-z_:][\w:]*)\s*(\{[^{}]*\})?")


def outside_quotes(text):
    """The text with braces and brackets of texts in quotes taken out of the way."""
    return re.sub(r'"(?:[^"\\]|\\.)*"', lambda it: re.sub(r"[{}()\[\]]", "_", it[0]), text)


def series_of(expression):
    """Its selectors, each a metric with its matchers; and the labels that it groups by."""
    text = outside_quotes(expression)
    grouped = set()
    for _, labels in GROUPING.findall(text):
        grouped |= {label.strip() for label in labels.split(",") if label.strip()}
    text = GROUPING.sub(" ", text)
    # Durations of ranges, subqueries and offsets.
    text = re.sub(r"\[[^\]]*\]", " ", text)
    text = re.sub(r"\boffset\s+\S+", " ", text)
    selectors = []
    for found in SELECTOR.finditer(text):
        name, matchers = found[1], found[2]
        after = text[found.end() :].lstrip()
        if name in WORDS or (matchers is None and after.startswith("(")):
            continue
        selectors.append((name, MATCHER.findall(matchers or "")))
    return selectors, grouped
