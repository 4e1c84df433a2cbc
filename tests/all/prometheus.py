"""A real Prometheus that scrapes a mailpushd under test.

    with Prometheus(tmp / "prometheus", port, rules) as prometheus:
        prometheus.wait("mailpush_build_info")
        prometheus.wait_alerts({"MailpushDown"})
"""

import http.client
import json
import math
import subprocess
import urllib.parse

from control import tcp
from ports import free_port
from waiting import wait_until

TIMEOUT = 60
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: mailpush
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
"""


class Prometheus:
    def __init__(self, directory, target, rules):
        directory.mkdir()
        self.port = free_port()
        self.log = directory / "log"
        config = directory / "prometheus.yml"
        config.write_text(CONFIG.format(rules=rules, target=target))
        self.command = ["setpriv", "--pdeathsig", "KILL", "prometheus", f"--config.file={config}",
                        f"--storage.tsdb.path={directory}/data",
                        f"--web.listen-address=127.0.0.1:{self.port}"]

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        try:
            wait_until(self._is_ready, TIMEOUT, "Prometheus ready")
        except BaseException:
            self.__exit__()
            raise RuntimeError(self.log.read_text()) from None
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        self.process.wait(TIMEOUT)

    def _is_ready(self):
        assert self.process.poll() is None, "it has ended"
        try:
            return tcp(self.port, "/-/ready")[0] == 200
        except (ConnectionError, http.client.HTTPException):
            return False

    def api(self, path, **query):
        """The `data` of an answer, which must be a success."""
        answer = json.loads(tcp(self.port, f"/api/v1/{path}?{urllib.parse.urlencode(query)}")[1])
        assert answer["status"] == "success", (query, answer)
        return answer["data"]

    def query(self, expr):
        """What an expression is now: a list of (labels, value)."""
        return [(sample["metric"], float(sample["value"][1]))
                for sample in self.api("query", query=expr)["result"]]

    def wait(self, expr):
        """The same as soon as there is something, all of it numbers."""
        def found():
            samples = self.query(expr)
            return samples if all(math.isfinite(value) for _, value in samples) else None
        return wait_until(found, TIMEOUT, f"data for {expr}")

    def rules(self):
        """All rules, as Prometheus understands them."""
        return [rule for group in self.api("rules")["groups"] for rule in group["rules"]]

    def alerts(self):
        """Those that fire: name -> annotations."""
        return {alert["labels"]["alertname"]: alert["annotations"]
                for alert in self.api("alerts")["alerts"] if alert["state"] == "firing"}

    def wait_alert(self, name):
        """What it says, once it fires."""
        return wait_until(lambda: self.alerts().get(name), TIMEOUT, f"{name} fires")

    def wait_resolved(self, name):
        wait_until(lambda: name not in self.alerts(), TIMEOUT, f"{name} no longer fires")
