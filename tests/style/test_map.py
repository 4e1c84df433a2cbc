"""The map at the top of main.c names every module, a folder holds few, and no circle joins two of them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
FILES = sorted(SRC.rglob("*.[ch]"))
# The folders of other programs, and where the map of each is.
OTHERS = {"console": "ctl", "show": "ctl", "transfer": "ctl", "checkup": "ctl", "doctor": "ctl", "doctor_dovecot": "ctl", "ctl": "ctl", "notify": "notify", "dovecot": "dovecot",
          "sim": "sim"}
MAPS = {"dovecot": "mailpush_plugin.c"}         # elsewhere main.c

MODULES_MAX = 15


def top(path):
    """The comment at the top of a file."""
    return path.read_text().partition("*/")[0]


def module(path):
    """A module of platform has a file for each system."""
    return re.sub("_(linux|freebsd|portable)$", "", path.stem)


def modules(folder):
    return {module(path) for path in FILES if path.parent.name == folder}


def the_map():
    """Folder -> the modules that main.c's map gives it, with a word on each."""
    found = {}
    for line in top(SRC / "daemon/main.c").splitlines():
        if folder := re.match(r" \* (\w+)/ - \S", line):
            found[folder[1]] = []
        elif name := re.match(r" \*   (\w+) +\S", line):
            found[list(found)[-1]].append(name[1])
    return found


def test_the_map_has_every_folder_in_the_order_of_the_stages():
    stages = re.search(r"foreach stage : \[([^\]]*)\]", (ROOT / "meson.build").read_text())[1]
    order = [stage for stage in re.findall(r"\w+", stages) if stage not in OTHERS]
    assert list(the_map()) == order


@pytest.mark.parametrize("folder", sorted({p.parent.name for p in FILES} - set(OTHERS)))
def test_the_map_has_every_module_once(folder):
    on_map = the_map()[folder]
    generated = {"page_text"} & set(on_map)  # of monitor/page
    assert sorted(on_map) == sorted(modules(folder) | generated)


@pytest.mark.parametrize("folder", OTHERS)
def test_the_map_of_another_program_has_every_module(folder):
    text = top(SRC / OTHERS[folder] / MAPS.get(folder, "main.c"))
    assert not [m for m in modules(folder) if not re.search(rf"\b{m}\b", text)]


@pytest.mark.parametrize("folder", sorted({p.parent.name for p in FILES}))
def test_a_folder_says_what_it_is_for(folder):
    assert (SRC / folder / "README.md").read_text().startswith(f"# src/{folder}\n\n")


@pytest.mark.parametrize("folder", sorted({p.parent.name for p in FILES}))
def test_a_folder_holds_fifteen_modules_at_most(folder):
    assert len(modules(folder)) <= MODULES_MAX, "which of them are an idea of their own?"


def graph():
    """Module -> the modules whose headers its files include."""
    found = {}
    for path in FILES:
        name = f"{path.parent.name}/{module(path)}"
        headers = re.findall(r'^#include "([^"]+)\.h"', path.read_text(), flags=re.M)
        found.setdefault(name, set()).update(set(headers) - {name})
    return found


def circles(edges):
    """Sets of modules each of which leads to each other one."""
    reached = {}

    def reach(start):
        seen, todo = set(), [start]
        while todo:
            for other in edges.get(todo.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return seen

    for module in edges:
        reached[module] = reach(module)
    return {frozenset(other for other in reached[m] if m in reached[other])
            for m in edges if m in reached[m]}


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == {frozenset("bc")}


def test_no_circle_joins_two_modules():
    assert not circles(graph())
