"""The status page with data of one's own: what no daemon says, or not now.

    with PageServer(*fetch_tcp(port, "/")[1:], data) as server:
        browser.open(server.url)
"""

import http.server
import json
import threading


class PageServer:
    def __init__(self, page, headers, data):
        """The page and its headers are the daemon's; `data` may be changed at any time."""
        self.data = data
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/":
                    self.answer(page, headers["Content-Type"],
                                headers["Content-Security-Policy"])
                elif self.path == "/status-page.json":
                    self.answer(json.dumps(outer.data), "application/json")
                else:
                    self.send_error(404)

            def answer(self, text, kind, policy=None):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                if policy:
                    self.send_header("Content-Security-Policy", policy)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
