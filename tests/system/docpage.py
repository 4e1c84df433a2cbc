"""A page of docs/: what an administrator is told to type or to write, as it stands there.

    page = Page("cyrus.md")
    page.block("event_notifier:")       # the one fenced block in which that stands
"""

import pathlib
import re

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"


class Page:
    def __init__(self, name):
        self.text = (DOCS / name).read_text()
        self.blocks = [match[1] for match in
                       re.finditer(r"^ *```\w*\n(.*?)^ *```$", self.text, flags=re.M | re.S)]

    def block(self, word):
        """The one block in which the word stands."""
        found, = [block for block in self.blocks if word in block]
        return found

    def table(self, heading):
        """The rows of the table whose first column is called so, as lists without code marks."""
        lines = self.text.split("\n")
        at = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |"))
        rows = []
        for line in lines[at + 2:]:
            if not line.startswith("|"):
                return rows
            rows.append([cell.strip().strip("`") for cell in line.strip("|").split(" | ")])
        return rows
