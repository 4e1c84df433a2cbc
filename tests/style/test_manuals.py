"""The manual pages say what the programs take: keys with default and range, options, variables."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("MAILPUSH_BUILD", ROOT / "build"))
MAN = ROOT / "man"
CONF_PAGE = (MAN / "mailpush.conf.5").read_text()
CONFIG = (ROOT / "src/config/config_file.c").read_text()
UNITS_MS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
CLOCK_MS = {"CLOCK_MINUTE_MS": 60_000, "CLOCK_HOUR_MS": 3_600_000, "CLOCK_DAY_MS": 86_400_000}


def source(path):
    return (ROOT / path).read_text()


# ---- mailpush.conf ----

def entries():
    """What the page says about each key."""
    found = re.split(r"^\.It Ic (\w+)$", CONF_PAGE, flags=re.M)
    return {key: re.split(r"^\.(?:El|It)\b", text, maxsplit=1, flags=re.M)[0]
            for key, text in zip(found[1::2], found[2::2])}


def rows():
    """The table of keys: name, default, function, least, most."""
    table = CONFIG[CONFIG.index("static const struct key keys[]"):CONFIG.index("#define KEYS")]
    row = r'\{"(\w+)",\s*"([^"]*)",\s*(?:true|false),\s*(?:config_)?take_(\w+),\s*(?:AT\(\w+\)|0),\s*([^,]+),\s*([^}]+)\}'
    return re.findall(row, table)


def number(text):
    """A bound as it stands in the table."""
    for name, value in CLOCK_MS.items():
        text = text.replace(name, str(value))
    assert re.fullmatch(r"[\d *+-]+", text), text
    return eval(text)                                           # digits and signs alone


def duration_ms(text):
    amount, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()
    return int(amount) * UNITS_MS[unit]


def test_the_table_is_read():
    assert len(rows()) > 35


def test_the_keys_that_wait_for_a_restart_are_listed():
    diff = source("src/config/config_diff.c")
    at_once = re.findall(r'"(\w+)"', diff[diff.index("at_once[] = {"):diff.index("#define AT_ONCE")])
    page = (MAN / "mailpushd.8").read_text()
    listed = page[page.index("takes effect at once, except for"):page.index("which are named in the log")]
    assert set(re.findall(r"^\.Ic (\w+)", listed, flags=re.M)) == {row[0] for row in rows()} - set(at_once)


def test_every_key_has_its_default():
    """What has none is needed by what it belongs to, or is one of several that are."""
    without = {key for key, text in entries().items() if "Default:" not in text}
    assert without <= {"certificate", "pkcs12", "p8", "key_id", "team_id"}


@pytest.mark.parametrize("name, default, take, least, most", [
    row for row in rows() if row[2] in ("duration", "unsigned", "max_waiting", "port")],
    ids=lambda value: value)
def test_a_key_with_bounds_has_its_range_and_its_default(name, default, take, least, most):
    text = entries()[name]
    if take == "duration":
        said = [tuple(map(duration_ms, found))
                for found in re.findall(r"^(\d+[a-z]+) to (\d+[a-z]+)\.$", text, flags=re.M)]
    else:
        said = [tuple(map(int, found)) for found in re.findall(r"^(\d+) to (\d+)\.$", text, flags=re.M)]
    assert said == [(number(least), number(most))]
    assert re.search(rf"^Default: {default}\b", text, flags=re.M)


@pytest.mark.parametrize("name, default, take, least, most", [row for row in rows() if row[2] == "size"],
                         ids=lambda value: value)
def test_a_key_of_a_size_has_its_range_and_its_default(name, default, take, least, most):
    text = entries()[name]
    units = {"MiB": 1 << 20, "GiB": 1 << 30}
    [said] = re.findall(r"^(\d+)([MG]iB) to (\d+)([MG]iB)\.$", text, flags=re.M)
    assert (int(said[0]) * units[said[1]], int(said[2]) * units[said[3]]) == (number(least), number(most))
    assert re.search(rf"^Default: {default}\b", text, flags=re.M)


def examples(page):
    """The literal blocks of a page, as they are shown."""
    return [block.replace("\\&", "").replace("\\e", "\\") for block in
            re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", page, flags=re.M | re.S)]


def shown_keys(text):
    return re.findall(r"^(\w+) = ", text, flags=re.M)


def test_every_key_has_an_example():
    blocks = examples(CONF_PAGE)
    shown = [key for block in blocks for key in shown_keys(block)]
    inside = [key for block in blocks for key in re.findall(r"^\t(\w+) = ", block, flags=re.M)]
    assert set(shown) | set(inside) == set(entries())
    assert sorted(shown) == sorted(name for name, *_ in rows())


def refusals(text, tmp_path):
    """What `mailpushd -n` says against the text itself; what it names need not be here."""
    (tmp_path / "proxy").write_text("user:password\n")
    text = text.replace("/etc/mailpush/proxy", str(tmp_path / "proxy"))
    for name, here in (("mailpush", "nobody"), ("alice", "nobody")):
        text = re.sub(rf"^((?:user|control_users) = .*)\b{name}\b", rf"\1{here}", text, flags=re.M)
    conf = tmp_path / "mailpush.conf"
    conf.write_text(text)
    said = subprocess.run([BUILD / "src/daemon/mailpushd", "-n", "-c", conf], capture_output=True,
                          text=True, timeout=20).stderr
    return [line for line in said.splitlines() if line.startswith("mailpushd: ")]


@pytest.mark.parametrize("block", [block for block in examples(CONF_PAGE) if "key = value" not in block],
                         ids=lambda block: block.split()[0])
def test_an_example_of_the_page_can_be_pasted(block, tmp_path):
    assert refusals(block, tmp_path) == []


def test_all_examples_of_keys_can_be_pasted_together(tmp_path):
    together = "".join(block for block in examples(CONF_PAGE) if shown_keys(block))
    assert refusals(together.replace("key = value\n", ""), tmp_path) == []


# ---- imapd.conf in all places ----

PLACES = {"README.md": r"^ +(event_notifier:.*?)\n\n", "docs/cyrus.md": r"^(event_notifier:.*?)\n```",
          "man/mailpushd.8": r"^(event_notifier:.*?)\n\.Ed"}


def test_all_places_tell_cyrus_the_same():
    said = {re.sub(r"^ +", "", re.search(wanted, source(place), flags=re.M | re.S)[1], flags=re.M)
            for place, wanted in PLACES.items()}
    assert len(said) == 1


# ---- options ----

def long_options(path):
    return set(re.findall(r'^\s*\{"([\w-]+)", (?:no|required|optional)_argument', source(path),
                          flags=re.M))


def items(page, what="Fl"):
    return [line for line in re.findall(r"^\.It (.*)", (MAN / page).read_text(), flags=re.M)
            if line.startswith(what)]


def test_the_options_of_apns_sim_stand_in_its_page():
    documented = {name for line in items("apns-sim.1") for name in re.findall(r"Fl -([a-z-]+)", line)}
    synopsis = set(re.findall(r"(?:Fl| \|) -([a-z-]+)", (MAN / "apns-sim.1").read_text()))
    options = long_options("src/sim/main.c")
    assert len(options) > 10
    assert synopsis == options
    assert options - documented == {"help", "version"}


def test_the_commands_of_apns_sims_socket_stand_in_its_page():
    table = source("src/sim/command.c")
    table = table[table.index("commands[] = {"):]
    taken = {name: set(re.findall(r'"(\w+)"', keys)) for name, keys in
             re.findall(r'\{"(\w+)", do_\w+,\s*\{(.*?)\}', table, flags=re.S)}
    page = (MAN / "apns-sim.1").read_text()
    page = page[page.index(".Sh CONTROL"):page.index(".Sh EXIT STATUS")]
    said = {}
    for line in re.findall(r"^\.It Cm (.*)", page, flags=re.M):
        name, *rest = line.split(" ", 1)
        said[name] = set(re.findall(r"\b[a-z_]+\b", "".join(rest).replace("Ar", "").replace("Op", "")))
    assert len(taken) > 15
    assert said == taken


def test_the_short_options_of_mailpushctl_stand_in_its_page():
    taken = re.search(r'getopt_long\(argc, argv, "([^"]*)"', source("src/ctl/options.c"))[1]
    said = {letter for line in items("mailpushctl.8") for letter in re.findall(r"Fl (\w)\b", line)}
    assert said == set(re.sub(r"[^A-Za-z]", "", taken))


@pytest.mark.parametrize("folder, page", [("notify", "mailpush-notify.8"), ("console", "mailpushctl.8"),
                                          ("intake", "mailpushd.8"), ("dovecot", "mailpush-dovecot-keep.8")])
def test_the_variables_that_a_program_reads_stand_in_its_page(folder, page):
    text = "".join(path.read_text() for path in sorted((ROOT / "src" / folder).glob("*.c")))
    names = set(re.findall(r'getenv\("(\w+)"\)', text)) | set(re.findall(r'"(MAILPUSH_\w+)"', text))
    assert names
    assert not [name for name in names if name not in (MAN / page).read_text()]


def test_the_lists_of_the_status_pages_history_stand_in_operations():
    pack = re.search(r'json_pack\("\{si(?:,so)+\}".*?\);', source("src/monitor/status_page.c"), flags=re.S)[0]
    names = set(re.findall(r'"(\w+)"', pack))
    row = re.search(r"^\| `history` \|.*$", source("docs/operations.md"), flags=re.M)[0]
    assert set(re.findall(r"`(\w+)`", row)) - {"history", "hour", "day", "null"} == names
    # The picture of the page is made of an example.
    example = re.search(r'return \{"seconds".*?\}\n', source("script/screenshots"), flags=re.S)[0]
    assert set(re.findall(r'"(\w+)":', example)) == names
