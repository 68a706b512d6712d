#!/usr/bin/env python3
"""HTTP server of the transfer tests: serves FILE under paths that each misbehave in one way.

usage: xfer-server.py FILE PORTFILE LOG PARENT
Writes its port to PORTFILE when it listens, one line a request to LOG, and ends when PARENT does.

  /plain/x        whole or by range, with an ETag        /lastmod/x   Last-Modified instead
  /norange/x      always whole, no validator             /cut/N/x     the first N answers end half way
  /once/x         first answer cut, then other content   /busy/C/N/R/x  N times status C with Retry-After R
  /status/C       status C                               /loop/x      redirects to itself
  /hops/N/x       N redirects, then /plain/x             /to/URL      redirect to a quoted URL
  /html/x         a web page                             /slow/x      64 KiB each 0.05 s
  /live/x         FILE as it is now; HEAD too            /untagged/x  the same, Last-Modified instead of an ETag
  /wrongrange/x   answers another range than asked       /empty/x     no bytes
  /uc?id=…        Google Drive: direct, form, link, cookie, quota, private, elsewhere
"""
import hashlib
import http.server
import os
import sys
import threading
import time
import urllib.parse

DATA = open(sys.argv[1], "rb").read()
OTHER = DATA + b"\0"
LOG = sys.argv[3]
PARENT = int(sys.argv[4])
counts = {}
lock = threading.Lock()

FORM = """<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>
<p>Google Drive can't scan this file for viruses.</p>
<form id="download-form" action="{action}" method="get">
<input type="submit" id="uc-download-link" value="Download anyway"/>
<input type="hidden" name="id" value="{id}"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="0-1&amp;2">
</form></body></html>"""


def count(key):
    with lock:
        counts[key] = counts.get(key, 0) + 1
        return counts[key]


class HeadersOnly:
    """A connection that takes the answer's headers and drops its body."""

    def __init__(self, to):
        self.to, self.done = to, False

    def write(self, data):
        if not self.done:
            self.to.write(data)
            self.done = data.endswith(b"\r\n\r\n")

    def flush(self):
        self.to.flush()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self):
        h = self.headers
        with lock, open(LOG, "a") as f:
            f.write("%s range=%s if-range=%s auth=%s cookie=%s\n" % (
                self.path, h.get("Range"), h.get("If-Range"), h.get("Authorization"), h.get("Cookie")))

    def answer(self, status, body=b"", headers=(), length=True, kind="application/octet-stream"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for k, v in headers:
            self.send_header(k, v)
        if length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def page(self, text, headers=()):
        self.answer(200, text.encode(), headers, kind="text/html; charset=utf-8")

    def redirect(self, to):
        self.answer(302, b"moved", [("Location", to)])

    def serve(self, data=DATA, etag=True, modified=None, ranges=True, stop_after=None, pause=0):
        headers = [("Accept-Ranges", "bytes")] if ranges else []
        tag = '"%s"' % hashlib.md5(data).hexdigest()
        if etag:
            headers.append(("ETag", tag))
        if modified:
            headers.append(("Last-Modified", modified))
        first, status = 0, 200
        asked = self.headers.get("Range")
        if ranges and asked and self.headers.get("If-Range") in (tag, modified):
            first = int(asked[len("bytes="):].rstrip("-"))
            if first >= len(data):
                return self.answer(416, b"", [("Content-Range", "bytes */%d" % len(data))])
            status = 206
            headers.append(("Content-Range", "bytes %d-%d/%d" % (first, len(data) - 1, len(data))))
        body = data[first:]
        self.send_response(status)
        self.send_header("Content-Type", "application/zip")
        self.send_header("Content-Length", str(len(body)))
        for k, v in headers:
            self.send_header(k, v)
        self.end_headers()
        if stop_after is not None:
            self.wfile.write(body[:stop_after(len(body))])
            self.wfile.flush()
            self.close_connection = True
            return
        step = 65536 if pause else len(body) or 1
        for i in range(0, len(body), step):
            self.wfile.write(body[i:i + step])
            self.wfile.flush()
            time.sleep(pause)

    def drive(self, query):
        ident = query.get("id", [""])[0]
        host = "http://" + self.headers["Host"]
        if ident == "direct" or query.get("confirm") == ["tok_EN"]:
            return self.serve()
        if ident == "form":
            return self.page(FORM.format(action=host + "/download", id=ident),
                             [("Set-Cookie", "NID=511; path=/")])
        if ident == "link":
            return self.page('<html><a id="uc-download-link" href="/uc?export=download&amp;'
                             'confirm=tok_EN&amp;id=link">Download anyway</a></html>')
        if ident == "cookie":
            return self.page("<html>cannot scan</html>",
                             [("Set-Cookie", "download_warning_13058_x=tok_EN; path=/")])
        if ident == "quota":
            return self.page("<html><title>Google Drive - Quota exceeded</title></html>")
        if ident == "private":
            return self.page('<html><title>Sign in</title><a href="https://accounts.google.com/x">'
                             "</a></html>")
        if ident == "elsewhere":
            return self.page(FORM.format(action="https://example.org/download", id=ident))
        return self.answer(404, b"no such file")

    def live(self):
        """FILE as it is at this moment."""
        try:
            with open(sys.argv[1], "rb") as f:
                tagged = not self.path.startswith("/untagged/")
                return self.serve(f.read(), etag=tagged, modified=None if tagged else "Mon, 02 Mar 2026 10:00:00 GMT")
        except FileNotFoundError:
            return self.answer(404, b"no such file")

    def do_HEAD(self):
        whole, self.wfile = self.wfile, HeadersOnly(self.wfile)
        try:
            self.live()
        finally:
            self.wfile = whole

    def do_GET(self):
        self.note()
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        part = url.path.split("/")
        what = part[1]
        try:
            if what in ("live", "untagged"):
                return self.live()
            if what == "uc":
                return self.drive(query)
            if what == "download":
                good = query.get("confirm") == ["t"] and query.get("uuid") == ["0-1&2"]
                if not good or "NID=511" not in (self.headers.get("Cookie") or ""):
                    return self.answer(403, b"no cookie or no token")
                n = count("download")
                return self.serve(stop_after=(lambda n: n // 2) if n == 1 else None)
            self.files(what, part)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def files(self, what, part):
        if what == "plain":
            return self.serve()
        if what == "lastmod":
            cut = count(self.path) == 1
            return self.serve(etag=False, modified="Tue, 24 Nov 2026 07:00:00 GMT",
                              stop_after=(lambda n: n // 2) if cut else None)
        if what == "norange":
            cut = count(self.path) == 1
            return self.serve(etag=False, ranges=False, stop_after=(lambda n: n // 2) if cut else None)
        if what == "cut":
            cut = count(self.path) <= int(part[2])
            return self.serve(stop_after=(lambda n: n // 2) if cut else None)
        if what == "once":
            if count(self.path) == 1:
                return self.serve(stop_after=lambda n: n // 2)
            return self.serve(data=OTHER)
        if what == "busy":
            if count(self.path) <= int(part[3]):
                after = [("Retry-After", part[4])] if part[4] != "-" else []
                return self.answer(int(part[2]), b"busy", after)
            return self.serve()
        if what == "status":
            return self.answer(int(part[2]), b"<html>error</html>")
        if what == "loop":
            return self.redirect(self.path)
        if what == "hops":
            n = int(part[2])
            return self.redirect("/hops/%d/x" % (n - 1) if n > 1 else "/plain/x")
        if what == "to":
            return self.redirect(urllib.parse.unquote(part[2]))
        if what == "html":
            return self.page("\n<!DOCTYPE html><html><title>Please log in</title></html>")
        if what == "slow":
            return self.serve(pause=0.05)
        if what == "wrongrange":
            if self.headers.get("Range"):
                return self.answer(206, DATA[:100], [("Content-Range", "bytes 0-99/%d" % len(DATA))])
            return self.serve(stop_after=lambda n: n // 2)
        if what == "empty":
            return self.answer(200, b"")
        self.answer(404, b"nothing here")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
with open(sys.argv[2] + ".tmp", "w") as f:
    f.write("%d\n" % server.server_address[1])
os.rename(sys.argv[2] + ".tmp", sys.argv[2])
while True:
    time.sleep(0.2)
    try:
        os.kill(PARENT, 0)
    except OSError:
        os._exit(0)
