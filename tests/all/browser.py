"""Chromium without a screen, driven by chromedriver over its HTTP protocol (WebDriver).

    with Browser(folder) as browser:
        browser.open("http://127.0.0.1:9105/", width=390, height=844, scheme="dark")
        browser.wait("All is well")
"""

import base64
import http.client
import json
import os
import re
import subprocess
import threading

from waiting import Lines, wait_until

TIMEOUT = 60


class Browser:
    def __init__(self, folder):
        """`folder` is where it keeps its profile."""
        self.folder = folder
        self.log = Lines()
        self.session = None

    def __enter__(self):
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "chromedriver", "--port=0"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            start_new_session=True, env={**os.environ, "HOME": str(self.folder)})
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()
        try:
            found = self.log.wait(r"started successfully on port (\d+)", timeout=TIMEOUT)
            self.port = int(found.group(1))
            self._start_session()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *exception):
        try:
            self._call("DELETE", "")
        finally:
            self._end()

    # ---- what a person does ----

    def open(self, url, width=1280, height=900, scheme="light", scale=1):
        """Load a page as on a screen of this size, phones' sizes included."""
        self._devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                       deviceScaleFactor=scale, mobile=width < 600)
        self.prefer(scheme)
        self._call("POST", "/url", {"url": url})

    def prefer(self, scheme):
        self._devtools("Emulation.setEmulatedMedia",
                       features=[{"name": "prefers-color-scheme", "value": scheme}])

    def log_in(self, name, token):
        """Send this login with each request, as a browser that has asked for it does; a name of None: no more."""
        pair = base64.b64encode(f"{name}:{token}".encode()).decode()
        self._devtools("Network.enable")
        self._devtools("Network.setExtraHTTPHeaders",
                       headers={"Authorization": f"Basic {pair}"} if name else {})

    def text(self, selector="body"):
        """What a person reads there."""
        return self.run("return document.querySelector(arguments[0]).innerText", selector)

    def wait(self, pattern, selector="body", timeout=30):
        """Wait until this is read; returns the match."""
        return wait_until(lambda: re.search(pattern, self.text(selector)), timeout=timeout,
                          what=f"{pattern!r} in the page")

    def run(self, script, *arguments):
        return self._call("POST", "/execute/sync", {"script": script, "args": arguments})

    def screenshot(self, path, height=None):
        """The page from its top, to its end or as far as `height`."""
        size = self._devtools("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"],
                "scale": 1}
        image = self._devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                               clip=clip)
        path.write_bytes(base64.b64decode(image["data"]))

    def complaints(self):
        """What stood in the console since the last question: errors, and breaches of the policy."""
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"})]

    # ---- the protocol ----

    def _start_session(self):
        options = {
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--hide-scrollbars", "--disable-background-networking",
                     f"--user-data-dir={self.folder}/profile"],
        }
        answer = self._request("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = answer["sessionId"]

    def _devtools(self, command, **parameters):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def _call(self, method, path, body=None):
        return self._request(method, f"/session/{self.session}{path}", body)

    def _request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body),
                               headers={"Content-Type": "application/json"})
            response = connection.getresponse()
            value = json.loads(response.read())["value"]
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"{method} {path}: {value['error']}: {value['message']}")
        return value

    def _read_log(self):
        for line in self.process.stdout:
            self.log.add(line.rstrip("\n"))
        self.log.end()

    def _end(self):
        self.process.terminate()
        self.process.wait(TIMEOUT)
        self.reader.join(TIMEOUT)
        self.process.stdout.close()
