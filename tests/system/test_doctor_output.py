"""mailpushctl doctor: what it prints, in which order, and how it ends."""

import re

from control import ctl
from doctor import AS_ROOT, NOBODY, examine, examine_and_count, imapd_conf, named, with_credential

SANDBOX = "api.sandbox.push.apple.com.invalid"
COUNT = re.compile(r"(\d+) checks?: (\d+) good, (\d+) warnings?, (\d+) problems?")


def count_of(findings):
    levels = [f["level"] for f in findings]
    return {"checks": len(levels), "good": levels.count("ok"), "warnings": levels.count("warn"),
            "problems": levels.count("fail")}


def test_the_last_line_counts(ward):
    site = ward()
    site.mailpushd.write_conf(apns_host=SANDBOX)
    _, findings, count = examine_and_count(site.mailpushd)
    assert count == count_of(findings) and count["problems"] == 1
    *lines, last = ctl(site.mailpushd, "doctor", "--config", site.mailpushd.conf).stdout.splitlines()
    numbers = [int(number) for number in COUNT.fullmatch(last).groups()]
    assert numbers == [len(lines), *(sum(line.startswith(level) for line in lines)
                                     for level in ("ok ", "warn ", "fail "))]
    assert last.endswith(" 1 problem")


def test_problems_alone_are_shown_and_all_are_counted(ward):
    site = ward()
    site.mailpushd.wait_log("registry: tidied")     # how long its batches take is known from then on
    site.mailpushd.write_conf(deferred_delay="7s")
    _, all_findings, count = examine_and_count(site.mailpushd)
    status, findings, same_count = examine_and_count(site.mailpushd, "--problems")
    assert status == 0 and findings == [f for f in all_findings if f["level"] != "ok"] != []
    assert same_count == count == count_of(all_findings)
    lines = ctl(site.mailpushd, "doctor", "--problems").stdout.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [[f["level"], f["check"]] for f in findings]


def test_a_user_comes_first(ward):
    site = ward()
    _, findings, count = examine_and_count(site.mailpushd, "--user", "nobody-here")
    assert [f["check"] for f in findings[:3]] == ["user", "mailpush.conf", "daemon"]
    assert count == count_of(findings)


@AS_ROOT
def test_who_may_look_at_next_to_nothing_reads_it_and_in_the_exit_status(ward):
    site = ward()
    site.mailpushd.conf.chmod(0o600)
    status, findings = examine(site.mailpushd, wrapper=NOBODY)
    assert status == 4
    assert named(findings) == [("daemon", "warn"), ("mailpush.conf", "warn")]
    for finding in findings:
        assert re.search(r"were not examined: run mailpushctl doctor as root$", finding["why"])
    assert ctl(site.mailpushd, "doctor", "--config", site.mailpushd.conf,
               wrapper=NOBODY).returncode == 4


@AS_ROOT
def test_who_may_not_read_a_file_that_mailpush_conf_names_reads_it(ward, tmp):
    site = ward()
    included, tokens = tmp / "more.conf", tmp / "tokens"
    included.write_text("")
    tokens.write_text("alice:" + 32 * "a" + "\n")
    included.chmod(0o600)
    tokens.chmod(0o600)
    for settings, named_file in (({"include": included}, included),
                                 ({"include": "", "http_listen": "127.0.0.1:9105",
                                   "page_login": f"token:{tokens}"}, tokens)):
        site.mailpushd.write_conf(**settings)
        status, findings = examine(site.mailpushd, wrapper=NOBODY)
        [finding] = [f for f in findings if f["check"] == "mailpush.conf"]
        assert (status, finding["level"]) == (4, "warn")
        assert str(named_file) in finding["why"] and "daemon's user" not in finding["why"]
        assert finding["why"].endswith("were not examined: run mailpushctl doctor as root")


@AS_ROOT
def test_who_may_not_read_imapd_conf_sees_it_in_the_exit_status(ward):
    site = ward(control_socket="")
    imapd_conf(site).chmod(0o600)
    status, findings = examine(site.mailpushd, wrapper=NOBODY)
    [finding] = [f for f in findings if f["check"] == "imapd.conf"]
    assert (status, finding["level"]) == (4, "warn")
    assert finding["why"].endswith(
        "Permission denied, so the mail server was not examined: run mailpushctl doctor as root")


@AS_ROOT
def test_what_the_daemon_tells_of_its_files_this_user_need_not_read(ward, tmp, sim):
    site = ward(start=False)
    (tmp / "c.pem").write_bytes(sim.client_cert.read_bytes() + sim.client_key.read_bytes())
    (tmp / "c.pem").chmod(0o600)
    with_credential(site, certificate=tmp / "c.pem")
    site.mailpushd.write_conf(control_users=["nobody"], control_group="nogroup")
    assert examine(site.mailpushd, wrapper=NOBODY)[0] == 1      # it is not running
    site.mailpushd.start()
    status, findings = examine(site.mailpushd, wrapper=NOBODY)
    assert status == 0 and {f["level"] for f in findings if f["check"] == "credential"} == {"ok"}


@AS_ROOT
def test_a_failure_that_is_seen_goes_before_what_is_not(ward):
    site = ward()
    assert examine(site.mailpushd, wrapper=NOBODY)[0] == 4
    site.mailpushd.write_conf(apns_host=SANDBOX)
    assert examine(site.mailpushd, wrapper=NOBODY)[0] == 1
