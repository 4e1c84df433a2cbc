"""The tables of failures and of defects name tests that exist, in every line."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = ("tests/system",)
ALL = ("tests/system", "tests/systemd", "tests/package", "tests/all", "tests/style", "tests/unit")
COSTS = {"event", "phone", "daemon", "late"}


def existing_tests(folders):
    """The names of what pytest, cmocka and meson run."""
    names = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*")):
        if path.match("test_*.py"):
            names |= set(re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE))
        elif path.suffix == ".c":
            names |= set(re.findall(r"^static void (\w+)\(void \*\*state\)", path.read_text(), re.MULTILINE))
        elif path.name == "meson.build":
            names |= set(re.findall(r"^\s*test\(\s*'(\w+)'", path.read_text(), re.MULTILINE))
    return names


def rows_of(text, header):
    """The cells of each row of the tables whose header begins so."""
    rows = []
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        if table.startswith(f"| {header} |"):
            rows += [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]
    return rows


@pytest.mark.parametrize(
    ("page", "header", "width", "folders"),
    [("architecture", "what fails", 3, SYSTEM), ("defects", "what happened", 4, ALL)],
)
def test_each_line_of_a_table_names_tests_that_exist(page, header, width, folders):
    rows = rows_of((ROOT / f"docs/{page}.md").read_text(), header)
    tests = existing_tests(folders)
    assert len(rows) > 20
    for row in rows:
        assert len(row) == width, row
        named = re.findall(r"`([^`]+)`", row[-1])
        assert named and set(named) <= tests, (set(named) - tests, row)


def test_each_defect_cost_something():
    for row in rows_of((ROOT / "docs/defects.md").read_text(), "what happened"):
        assert set(row[1].split(", ")) <= COSTS, row


def test_each_defect_says_how_it_was_found():
    text = (ROOT / "docs/defects.md").read_text()
    rows = rows_of(text, "what happened | cost | how it was found")
    assert len(rows) == len(rows_of(text, "what happened"))
    for row in rows:
        assert row[2] and row[2].lower() != "its own test", row
