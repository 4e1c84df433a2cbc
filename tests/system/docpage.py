"""A page of docs/: what an administrator is told to type or to write, as it stands there.

    page = Page("cyrus.md")
    page.block("event_notifier:")       # the one fenced block in which that stands
"""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


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


def check_exercised(page, exercised, tests):
    """No block stands there that nothing exercises.

    Of each block there is a word, and what exercises it: another file, or a part of the name of a test in
    the file `tests`.  In the file the word stands too, as it says which block is meant."""
    assert sorted(map(page.block, exercised)) == sorted(page.blocks)
    own = pathlib.Path(tests).read_text()
    names = re.findall(r"^def (test_\w+)", own, flags=re.M)
    for word, by in exercised.items():
        quoted = json.dumps(word)
        if "/" in by:
            assert quoted in (ROOT / by).read_text(), f"{by} does not have {quoted}"
        else:
            assert [name for name in names if by in name], f"no test is called {by}"
            assert own.count(quoted) > 1, f"no test has {quoted}"
