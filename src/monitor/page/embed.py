#!/usr/bin/env python3
"""Makes of the status page one C file: script and style go into the page, their hashes into its policy.

embed.py status.html status.css status.js OUTPUT
"""

import base64
import hashlib
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def source_of(text):
    """How a Content-Security-Policy names an inline text."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def policy_of(style, script):
    return "; ".join((
        "default-src 'none'",
        f"script-src {source_of(script)}",
        f"style-src {source_of(style)}",
        "img-src data:",                    # the icon, which tells of trouble
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ))


def rows(data):
    for i in range(0, len(data), 16):
        yield "\t" + ", ".join(f"{byte}" for byte in data[i:i + 16]) + ",\n"


def main():
    page, style, script = map(read, sys.argv[1:4])
    for place, text in (("@style@", style), ("@script@", script)):
        if page.count(place) != 1:
            sys.exit(f"embed.py: {place} must stand in the page once")
        if any(end in text.lower() for end in ("</style", "</script", "<!--")):
            sys.exit(f"embed.py: what goes to {place} would end there")
        page = page.replace(place, text)
    data = page.encode()
    with open(sys.argv[4], "w", encoding="ascii") as file:
        file.write('#include "monitor/page_text.h"\n\nconst unsigned char page_text_html[] = {\n')
        file.writelines(rows(data))
        file.write(f"}};\nconst size_t page_text_html_size = {len(data)};\n"
                   f'const char page_text_policy[] = "{policy_of(style, script)}";\n')


main()
