"""A driver has every function of ops.h: the one that is missing would be called some day."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = re.compile(r"^const struct registry_ops (\w+) = \{(.*?)^\};", re.MULTILINE | re.DOTALL)
TABLES = {name: body for path in sorted((ROOT / "src").rglob("*.c"))
          for name, body in TABLE.findall(path.read_text())}


def members():
    body = re.search(r"^struct registry_ops \{(.*?)^\};", (ROOT / "src/driver/ops.h").read_text(),
                     re.MULTILINE | re.DOTALL)[1]
    code = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
    return [re.search(r"\(\*(\w+)\)|(\w+)$", part)[1] or re.search(r"(\w+)$", part)[1]
            for part in (part.strip() for part in code.split(";")) if part]


def test_there_are_drivers_and_members():
    assert {"sqlite_ops", "postgresql_ops"} <= set(TABLES)
    assert {"scheme", "begin", "match", "put_right"} <= set(members())


@pytest.mark.parametrize("driver", TABLES)
def test_each_member_has_its_value_once(driver):
    assert sorted(re.findall(r"\.(\w+) = (?!NULL)", TABLES[driver])) == sorted(members())
