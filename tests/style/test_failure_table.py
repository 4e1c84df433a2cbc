"""Each line of the table of failures in docs/architecture.md names a test that exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_of_failures_names_tests_that_exist():
    text = (ROOT / "docs/architecture.md").read_text()
    table = text.partition("## When a part fails")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][2:]
    tests = set()
    for path in (ROOT / "tests/system").glob("test_*.py"):
        tests |= set(re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE))
    assert len(lines) > 20
    for line in lines:
        named = re.findall(r"`(test_\w+)`", line.rpartition(" | ")[2])
        assert named and set(named) <= tests, line
