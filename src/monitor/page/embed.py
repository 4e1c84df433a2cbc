#!/usr/bin/env python3
"""Makes of the pages one C file: scripts and style go into a page, their hashes into its policy.

embed.py OUTPUT STYLE COMMON.js NAME.html NAME.js...
"""

import base64
import hashlib
import pathlib
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


def filled(page, style, script):
    for place, text in (("@style@", style), ("@script@", script)):
        if page.count(place) != 1:
            sys.exit(f"embed.py: {place} must be in the page once")
        if any(end in text.lower() for end in ("</style", "</script", "<!--")):
            sys.exit(f"embed.py: what goes to {place} would end there")
        page = page.replace(place, text)
    return page


def write(file, name, page, style, script):
    data = filled(page, style, script).encode()
    file.write(f"\nstatic const unsigned char {name}_html[] = {{\n")
    file.writelines(rows(data))
    file.write(f"}};\nconst struct page_text page_text_{name} = {{\n"
               f"\t.html = {name}_html, .size = {len(data)},\n"
               f'\t.policy = "{policy_of(style, script)}"}};\n')


def main():
    style, common = map(read, sys.argv[2:4])
    with open(sys.argv[1], "w", encoding="ascii") as file:
        file.write('#include "monitor/page_text.h"\n')
        for html, script in zip(sys.argv[4::2], sys.argv[5::2]):
            write(file, pathlib.Path(html).stem, read(html), style, common + read(script))


main()
