"""The rules that a compiler does not hold: layers, purity, layout, manual pages."""

import platform
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.[ch]"))
# Debian 12's; others lay out otherwise.
CLANG_FORMAT = "14"
CODE = [f for top in ("src", "tests", "bench") for f in sorted((ROOT / top).rglob("*.[ch]"))]

# The way of an event; a stage includes only itself and what comes before it.
STAGES = ["platform", "base", "loop", "alert", "event", "intake", "driver", "sqlite", "postgresql", "mariadb", "database", "registry", "schedule", "queue", "credential", "apns", "config", "stats", "trace", "arrival", "xaps", "flow", "monitor", "admin", "daemon"]
# The simulator stands beside them and needs only base.
MAY_INCLUDE = {stage: set(STAGES[: i + 1]) for i, stage in enumerate(STAGES)}
MAY_INCLUDE["sim"] = {"platform", "base", "sim"}
# The operator's tool asks the daemon; of the stages it needs only how files are read.
MAY_INCLUDE["console"] = {"platform", "base", "console"}
MAY_INCLUDE["show"] = MAY_INCLUDE["console"] | {"show"}
MAY_INCLUDE["transfer"] = {"platform", "base", "event", "driver", "postgresql", "mariadb", "database", "transfer"}
MAY_INCLUDE["checkup"] = {"platform", "base", "checkup"}
MAY_INCLUDE["doctor_dovecot"] = {"platform", "base", "config", "console", "checkup", "doctor_dovecot"}
MAY_INCLUDE["doctor"] = {"platform", "base", "event", "database", "config", "console", "checkup", "doctor_dovecot", "doctor"}
MAY_INCLUDE["ctl"] = {"platform", "base", "driver", "database", "config", "credential", "console", "show", "transfer", "doctor",
                      "ctl"}
# mailpush-notify speaks to intake: it shares what is said there of the protocol and the spool.
MAY_INCLUDE["notify"] = {"platform", "base", "intake", "notify"}
MAY_INCLUDE["dovecot"] = {"base", "event", "intake", "notify", "dovecot"}

# Modules that are pure: no clock, no I/O, no thread, no log.
PURE = [
    "src/base/backoff", "src/base/buf", "src/base/err", "src/base/histogram", "src/base/map", "src/base/ratelimit", "src/base/urltext",
    "src/event/acl", "src/event/dovecot_event", "src/event/event", "src/event/field", "src/event/flat", "src/event/groups",
    "src/event/imapdconf", "src/event/mailbox", "src/event/utf7", "src/event/xaps_event", "src/xaps/xaps_line", "src/xaps/xaps_request", "src/base/utf8",
    "src/intake/notification_write", "src/intake/dlist", "src/intake/notification", "src/arrival/origin",
    "src/apns/explain", "src/credential/jwt", "src/apns/payload", "src/credential/topics", "src/apns/verdict",
    "src/admin/request_params", "src/admin/registration_json", "src/transfer/time_text", "src/loop/host_header", "src/stats/failures", "src/trace/trace_entry", "src/trace/trace_share", "src/trace/trace_words",
    "src/stats/history", "src/stats/metrics", "src/loop/network", "src/config/notify_socket", "src/event/relay",
    "src/console/format", "src/console/member", "src/doctor/cyrusconf", "src/doctor/doctor_cyrus", "src/doctor/doctor_daemon",
    "src/doctor/doctor_user", "src/doctor/greeting", "src/checkup/report", "src/doctor_dovecot/doveconf_text",
    "src/notify/request", "src/dovecot/json_text", "src/postgresql/pgstate", "src/postgresql/pgvalue", "src/driver/failure", "src/driver/mailbox_place", "src/driver/registry_row", "src/mariadb/mariacode", "src/mariadb/mariaurl", "src/mariadb/mariavalue",
]
# A folder of which every module is.
PURE += [str(f.relative_to(ROOT).with_suffix("")) for f in sorted((ROOT / "src/schedule").glob("*.c"))]
IMPURE = re.compile(
    r"\b(clock_(monotonic|unix)_ms|clock_gettime|gettimeofday|time|fopen|open|read|write|socket|"
    r"send|recv|log_event|alarm_raise|pthread_\w+|uv_\w+|sqlite3_\w+|rand|random|getentropy)\s*\("
)


# What POSIX.1-2024 and the BSDs lack.
OF_LINUX = re.compile(
    r"\b(recvmmsg|sendmmsg|SO_PEERCRED|SO_PASSCRED|SCM_CREDENTIALS|struct ucred|epoll_\w+|MHD_USE_EPOLL|"
    r"O_PATH|O_TMPFILE|prctl|CLOCK_BOOTTIME|pthread_setname_np|inotify_\w+|eventfd|signalfd|"
    r"timerfd_\w+|memfd_create|statx|renameat2|adjtimex|getrandom|sync_file_range|syncfs|gettid|"
    r"program_invocation_\w+|sys/(epoll|prctl|syscall|sysinfo|random|inotify)\.h|linux/\w+\.h)\b"
    r"|#\s*if.*(__linux__|__GLIBC__|__FreeBSD__)|\"/proc/"
)


def without_comments(text):
    text = re.sub(r'"(\\.|[^"\\])*"', '""', text)
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def includes(path):
    return re.findall(r'^#include "([^"]+)"', path.read_text(), flags=re.M)


def test_there_are_sources_to_look_at():
    assert len(SOURCES) > 50


@pytest.mark.parametrize("stage", sorted(MAY_INCLUDE))
def test_a_stage_includes_no_later_stage(stage):
    files = [f for f in SOURCES if f.parent.name == stage]
    assert files
    wrong = [
        f"{f.relative_to(ROOT)} includes {header}"
        for f in files
        for header in includes(f)
        if header.split("/")[0] not in MAY_INCLUDE[stage]
    ]
    assert not wrong


def test_the_queue_is_called_through_its_door():
    wrong = [
        f"{f.relative_to(ROOT)} includes {header}"
        for f in SOURCES
        if f.parent.name not in ("schedule", "queue")
        for header in includes(f)
        if header.split("/")[0] in ("schedule", "queue") and header != "queue/queue.h"
    ]
    assert not wrong


def test_what_linux_alone_has_stands_in_its_files_of_platform():
    texts = {f.relative_to(ROOT): re.sub(r"/\*.*?\*/", "", f.read_text(), flags=re.S) for f in SOURCES}
    found = {path for path, text in texts.items() if OF_LINUX.search(text)}
    of_linux = {path for path in texts if path.match("src/platform/*_linux.c")}
    assert found == of_linux - {Path("src/platform/journal_linux.c")}       # a path of systemd's


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_does_no_io_and_reads_no_clock(module):
    text = without_comments((ROOT / f"{module}.c").read_text())
    # A callback that the caller passed in is not ours.
    text = re.sub(r"(->|\.)\s*\w+\s*\(", "(", text)
    assert not IMPURE.search(text), IMPURE.search(text)


def test_every_global_name_begins_with_its_module():
    wrong = []
    for header in SOURCES:
        if header.suffix != ".h" or header.parent.name in ("sim",):
            continue
        stem = header.stem
        text = without_comments(header.read_text())
        for name in re.findall(r"^(?!static|typedef|#)[\w *]*?\b(\w+)\s*\([^;{]*\)\s*(?:__attribute__[^;]*)?;",
                               text, flags=re.M):
            if name not in ("__attribute__", "MEM_DEFINE_CLEANUP", "TAILQ_HEAD") and not name.startswith(stem.split("_")[0]):
                wrong.append(f"{header.relative_to(ROOT)}: {name}")
    # Families whose modules share a header.
    allowed = ("job_list_", "registry_key_", "queue_job_", "store_file_", "registry_store_",
               "registry_job_", "queue_reading_")
    assert not [w for w in wrong if not w.split(": ")[1].startswith(allowed)]


def test_clang_format_agrees_with_the_layout():
    said = subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout
    found = re.search(r"version (\d+)", said)[1]
    if found != CLANG_FORMAT and platform.freedesktop_os_release()["VERSION_CODENAME"] != "bookworm":
        pytest.xfail(f"the layout is that of clang-format {CLANG_FORMAT}, this one is {found}")
    run = subprocess.run(["clang-format", "--dry-run", "-Werror", *map(str, CODE)],
                         capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[:3000]


def test_no_test_says_what_cmocka_2_takes_otherwise():
    """assert_in_range is assert_int_in_range there, and stop() is a macro."""
    wrong = [f.relative_to(ROOT) for f in CODE if f.is_relative_to(ROOT / "tests/unit") and
             re.search(r"\bassert_in_range\(" + (r"|\bstop\(" if "<cmocka.h>" in (text := f.read_text()) else ""),
                       text)]
    assert not wrong


def test_no_unit_test_has_a_time_of_its_own():
    """One that is slow beside compilers is not one that hangs."""
    text = {path: path.read_text() for path in (ROOT / "tests").rglob("meson.build")}
    assert text and not [path for path in text if re.search(r"\btimeout:", text[path])]
    assert re.search(r"^add_test_setup\(.*timeout_multiplier: 30, is_default: true\)$",
                     (ROOT / "meson.build").read_text(), flags=re.M)


def test_no_file_holds_more_than_one_idea():
    long = [f"{f.relative_to(ROOT)}: {n}" for f in SOURCES
            if (n := len(f.read_text().splitlines())) > 800]
    assert not long


@pytest.mark.parametrize("page", sorted((ROOT / "man").glob("*.[158]")), ids=lambda p: p.name)
def test_manual_pages_are_clean(page):
    run = subprocess.run(["mandoc", "-Tlint", "-Wstyle", str(page)], capture_output=True, text=True)
    # Which other programs' pages are installed says nothing of ours.
    found = [line for line in (run.stdout + run.stderr).splitlines()
             if "referenced manual not found" not in line and "mandoc.db" not in line]
    assert not found


def test_every_key_stands_in_its_manual_page_and_the_other_way_round():
    config = (ROOT / "src/config/config_file.c").read_text()
    table = config[config.index("static const struct key keys[]"):config.index("#define KEYS")]
    keys = set(re.findall(r'^\s*\{"(\w+)",', table, flags=re.M))
    credential = re.search(r"credential_keys\[\] = \{(.*?)\}", config, flags=re.S).group(1)
    keys |= set(re.findall(r'"(\w+)"', credential)) | {"members", "system"}      # of a group
    keys |= {"push", "pushes_per_minute"}      # of user_settings
    keys |= {"domains"}     # of a credential, a list
    page = (ROOT / "man/mailpush.conf.5").read_text()
    documented = set(re.findall(r"^\.It Ic (\w+)", page, flags=re.M)) - {"credential"}
    assert keys == documented


def test_the_options_of_notifyd_stand_in_the_manual_page():
    request = (ROOT / "src/notify/request.c").read_text()
    page = (ROOT / "man/mailpush-notify.8").read_text()
    named = set(re.findall(r"Fl (\w)", " ".join(re.findall(r"^\.It (Fl .*)", page, flags=re.M))))
    assert named == set(re.findall(r"case '(\w)':", request)) | {"h", "V"}


def test_options_stand_in_the_manual_page():
    options = re.search(r'getopt_long\(argc, argv, "([^"]+)"', (ROOT / "src/daemon/main.c").read_text()).group(1)
    page = (ROOT / "man/mailpushd.8").read_text()
    assert set(re.findall(r"^\.It Fl (\w)", page, flags=re.M)) == set(options.replace(":", ""))


def test_commands_and_options_stand_in_the_manual_page_of_mailpushctl():
    main = (ROOT / "src/ctl/main.c").read_text()
    page = (ROOT / "man/mailpushctl.8").read_text()
    options = set(re.findall(r'^\s*\{"([\w-]+)", (?:no|required)_argument', (ROOT / "src/ctl/options.c").read_text(),
                             flags=re.M))
    documented = re.findall(r"^\.It (Fl .*)", page, flags=re.M)
    assert options == {name for line in documented for name in re.findall(r"-([a-z][a-z-]+)", line)}
    table = main[main.index("} commands[] = {"):main.index("#define COMMANDS")]
    commands = re.findall(r'\{\{"([\w-]+)"(?:, "([\w-]+)")?\}', table)
    described = re.findall(r"^\.It Cm ([\w-]+)(?: (?:Op Cm )?([a-z]+)\b)?", page, flags=re.M)
    assert {words for words in commands if words[1] != "list"} - set(described) == \
        {("devices", ""), ("queue", "")}
    assert set(described) <= set(commands)


def test_bash_completion_offers_every_command_and_option():
    main = (ROOT / "src/ctl/main.c").read_text()
    completion = (ROOT / "packaging/completion/mailpushctl").read_text()
    table = main[main.index("} commands[] = {"):main.index("#define COMMANDS")]
    words = {word for pair in re.findall(r'\{\{"([\w-]+)"(?:, "([\w-]+)")?\}', table)
             for word in pair if word}
    words |= {f"--{name}" for name in re.findall(r'^\s*\{"([\w-]+)", \w+_argument',
                                              (ROOT / "src/ctl/options.c").read_text(), flags=re.M)}
    assert not [word for word in words if word not in completion]


def defaults_in_the_table():
    """The keys with their defaults as they would be written."""
    config = (ROOT / "src/config/config_file.c").read_text()
    table = config[config.index("static const struct key keys[]"):config.index("#define KEYS")]
    rows = re.findall(r'\{"(\w+)",\s*"([^"]*)",\s*(?:true|false),\s*(?:config_)?take_', table)
    return {name: words(value) for name, value in rows}


def words(value):
    """A value without its layout."""
    return re.findall(r"[^\s{},\"]+", value)


def test_the_example_has_every_key_with_its_default():
    example = (ROOT / "packaging/mailpush.conf").read_text()
    shown = dict(re.findall(r"^#(\w+) = (.*)$", example, flags=re.M))
    table = defaults_in_the_table()
    # These two add to what relay.c begins with; the manual page has them whole.
    page = (ROOT / "man/mailpush.conf.5").read_text()
    for key in ("urgent_events", "deferred_events"):
        entry = page[page.index(f".It Ic {key}\n"):]
        table[key] = words(re.search(r"Default: (\{.*?\})", entry, flags=re.S).group(1)
                           .replace(".Qq ", ""))
    assert {name: words(value) for name, value in shown.items()} == table


def test_the_package_has_the_version_of_the_project():
    project = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text()).group(1)
    changelog = (ROOT / "packaging/debian/changelog").read_text()
    assert changelog.startswith(f"mailpush ({project}) ")


def test_the_maintainers_address_stands_in_one_place():
    address = re.search("^Maintainer: .*<(.*)>$", (ROOT / "packaging/debian/control").read_text(),
                        flags=re.M)[1]
    done = subprocess.run(["git", "-C", ROOT, "grep", "-Fl", address], capture_output=True, text=True)
    assert done.stdout == "packaging/debian/control\n"
