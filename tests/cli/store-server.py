#!/usr/bin/env python3
"""Object store of the remote tests: holds what is PUT or POSTed, lists it as S3 and Azure do, and misbehaves when told.

usage: store-server.py PORTFILE LOG FAULTS PARENT
Writes its port to PORTFILE when it listens, one line a request to LOG, and ends when PARENT does. FAULTS (may be absent) is read
before each request; a line is `METHOD REGEX KIND COUNT`: the next COUNT requests whose path and query match suffer KIND:

  NNN        that status                     after NNN N   status with Retry-After N (KIND is "NNN,N")
  reset      the connection is reset         cut           half of the body, then the end
  slow       a byte each 0.4 s               wrong         other content of the same length
  change     half of the body of another version, with its own ETag
  evil       a page of names that leave the prefix         dotdot   one that has ".." in it
  xml        a page that is no XML           notlast       part 2 of an upload is refused
  to,URL     redirect

S3: ?uploads, ?partNumber, ?uploadId, ?delete; pages of 3 names. Azure: ?comp=block, blocklist, list; Shared Key is checked when the
header is there (account `acc`, key base64 "key"). What is below /digest/ asks for a digest (RFC 7616) of `me`, `s3cret: x`; a nonce
is good for two requests. /token answers tokens, /latest/… is an instance's metadata (IMDSv2).
"""
import base64
import hashlib
import hmac
import http.server
import json
import os
import re
import sys
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

LOG, FAULTS, PARENT = sys.argv[2], sys.argv[3], int(sys.argv[4])
PAGE = 3
objects, uploads, blocks, used, nonces = {}, {}, {}, {}, {}
lock = threading.Lock()


def fault(method, target):
    """The kind of trouble that this request gets, or None."""
    try:
        lines = open(FAULTS).read().splitlines()
    except FileNotFoundError:
        return None
    for n, line in enumerate(lines):
        what, pattern, kind, count = line.split()
        key = (line, n)
        if what in (method, "*") and re.search(pattern, target) and used.get(key, 0) < int(count):
            used[key] = used.get(key, 0) + 1
            return kind
    return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", headers=(), length=None):
        self.send_response(status)
        for k, v in headers:
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code):
        self.answer(status, ("<Error><Code>%s</Code><Message>%s is what it is</Message></Error>" % (code, code)).encode())

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def trouble(self, kind, path, query):
        if kind.startswith("to,"):
            return self.answer(302, b"", [("Location", kind[3:])])
        if kind == "reset":
            self.connection.setsockopt(__import__("socket").SOL_SOCKET, __import__("socket").SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.close_connection = True
            return self.connection.close()
        if kind[0].isdigit():
            status, _, after = kind.partition(",")
            return self.answer(int(status), b"<Error><Code>Busy</Code><Message>too much &lt;b&gt;</Message></Error>",
                               [("Retry-After", after)] if after else [])
        if kind == "xml":
            return self.answer(200, b"<ListBucketResult><Contents><Key>oops")
        if kind in ("evil", "dotdot"):
            keys = {"evil": ["other/place"], "dotdot": [query.get("prefix", [""])[0] + "../../evil"]}[kind]
            return self.page(keys, None)
        data = objects.get(path, b"")
        if kind == "wrong":
            data = bytes(b ^ 1 for b in data)
            return self.answer(200, data)
        if kind == "change":
            data = bytes(b ^ 1 for b in data)
        tag = [("ETag", '"%s"' % hashlib.md5(data).hexdigest())]
        if kind in ("cut", "change"):
            first = self.first(tag[0][1])
            self.answer(206 if first else 200, data[first:first + (len(data) - first) // 2],
                        tag + ([("Content-Range", "bytes %d-%d/%d" % (first, len(data) - 1, len(data)))] if first else []),
                        len(data) - first)
            self.close_connection = True
            return None
        if kind == "slow":
            self.answer(200, b"", tag, len(data))
            for b in data:
                self.wfile.write(bytes([b]))
                time.sleep(0.4)
            return None
        raise SystemExit("no such fault: " + kind)

    def first(self, tag):
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        return int(asked[1]) if asked and self.headers.get("If-Match") in (None, tag) else 0

    def page(self, keys, following):
        items = "".join("<Contents><Key>%s</Key><ETag>&quot;%s&quot;</ETag><Size>%d</Size></Contents>" % (
            urllib.parse.quote_plus(k, safe="/"), hashlib.md5(objects.get(k, b"")).hexdigest(), len(objects.get(k, b""))) for k in keys)
        more = "<NextContinuationToken>%s</NextContinuationToken>" % escape(following) if following else ""
        self.answer(200, ("<ListBucketResult>%s%s</ListBucketResult>" % (items, more)).encode())

    def listing(self, bucket, query):
        azure = query.get("comp") == ["list"]
        prefix = query.get("prefix", [""])[0]
        after = query.get("marker" if azure else "continuation-token", [""])[0]
        names = sorted(k[len(bucket):] for k in objects if k.startswith(bucket + prefix))
        names = [n for n in names if n > after]
        page, following = names[:PAGE], names[PAGE - 1] if len(names) > PAGE else None
        if not azure:
            return self.page(page, following)
        items = "".join("<Blob><Name>%s</Name><Properties><Etag>0x1</Etag><Content-Length>%d</Content-Length></Properties></Blob>" % (
            escape(n), len(objects[bucket + n])) for n in page)
        self.answer(200, ("<EnumerationResults><Blobs>%s</Blobs><NextMarker>%s</NextMarker></EnumerationResults>" % (
            items, escape(following or ""))).encode())

    def shared_key(self, path, query):
        """None, or what is wrong."""
        got = self.headers.get("Authorization") or ""
        if not got.startswith("SharedKey "):
            return None
        h = self.headers
        length = h.get("Content-Length") or "0"
        names = ["Content-MD5", "Content-Type", "Date", "If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range"]
        lines = [self.command, "", "", "" if length == "0" else length] + [h.get(n) or "" for n in names]
        lines += ["%s:%s" % (n.lower(), h[n]) for n in sorted(h, key=str.lower) if n.lower().startswith("x-ms-")]
        lines.append("/acc" + path)
        lines += ["%s:%s" % (n, ",".join(query[n])) for n in sorted(query)]
        mac = hmac.new(b"key", "\n".join(lines).encode(), hashlib.sha256).digest()
        return None if got == "SharedKey acc:" + base64.b64encode(mac).decode() else "\n".join(lines)

    def digest_fails(self):
        """Asks for a digest and is true, unless there is a right one."""
        scheme, _, rest = (self.headers.get("Authorization") or "").partition(" ")
        got = {k: v or w for k, v, w in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', rest)} if scheme == "Digest" else {}
        md5 = lambda *words: hashlib.md5(":".join(words).encode()).hexdigest()
        nonce = got.get("nonce", "")
        if nonces.get(nonce, 0) > 0 and got.get("uri") == self.path and got.get("username") == "me" and got.get("response") == md5(
                md5("me", "scans", "s3cret: x"), nonce, got.get("nc", ""), got.get("cnonce", ""), "auth", md5(self.command, self.path)):
            nonces[nonce] -= 1
            return False
        stale = nonces.get(nonce) == 0
        nonce = os.urandom(8).hex()
        nonces[nonce] = 2
        self.answer(401, b"", [("WWW-Authenticate", 'Digest realm="scans", qop="auth", algorithm=MD5, nonce="%s"%s' % (nonce, ", stale=true" if stale else ""))])
        return True

    def handle_one(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
        path = urllib.parse.unquote(url.path)
        data = self.body()
        with lock:
            with open(LOG, "a") as f:
                f.write("%s %s auth=%s x-token=%s range=%s port=%d\n" % (
                    self.command, self.path, self.headers.get("Authorization"), self.headers.get("X-Token"),
                    self.headers.get("Range"), self.client_address[1]))
            kind = fault(self.command, self.path)
        if kind:
            return self.trouble(kind, path, query)
        if path.startswith("/digest/") and self.digest_fails():
            return None
        if self.shared_key(url.path, query):
            return self.refuse(403, "AuthenticationFailed")
        md5 = self.headers.get("Content-MD5")
        if md5 and base64.b64decode(md5) != hashlib.md5(data).digest():
            return self.refuse(400, "BadDigest")
        special = self.special(path, query, data)
        if special is not None:
            return special
        return self.plain(path, query, data)

    def special(self, path, query, data):
        bucket = "/" + path.split("/")[1] + "/"
        if path == "/token":
            form = urllib.parse.parse_qs(data.decode())
            with open(LOG, "a") as f:
                f.write("form %s\n" % json.dumps(form, sort_keys=True))
            return self.answer(200, b'{"access_token": "tok-1", "expires_in": 3600}') or True
        if path == "/latest/api/token":
            return self.answer(200, b"imds") or True
        if path.startswith("/latest/meta-data/iam/security-credentials/"):
            if self.headers.get("X-aws-ec2-metadata-token") != "imds":
                return self.refuse(401, "NoToken") or True
            last = path.rsplit("/", 1)[1]
            return self.answer(200, b'{"AccessKeyId": "IMDSKEY", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}'
                               if last else b"role") or True
        if "list-type" in query or query.get("comp") == ["list"]:
            return self.listing(bucket, query) or True
        if "uploads" in query:
            uploads["u&1"] = {}
            return self.answer(200, b"<InitiateMultipartUploadResult><UploadId>u&amp;1</UploadId></InitiateMultipartUploadResult>") or True
        if "partNumber" in query:
            uploads[query["uploadId"][0]][int(query["partNumber"][0])] = data
            return self.answer(200, b"", [("ETag", '"%s"' % hashlib.md5(data).hexdigest())]) or True
        if "uploadId" in query:
            parts = uploads.pop(query["uploadId"][0])
            if self.command == "POST":
                objects[path] = b"".join(parts[n] for n in sorted(parts))
            return self.answer(200 if self.command == "POST" else 204, b"<ok/>" if self.command == "POST" else b"") or True
        if "delete" in query:
            for key in re.findall(r"<Key>(.*?)</Key>", data.decode()):
                objects.pop(bucket + key, None)
            return self.answer(200, b"<DeleteResult/>") or True
        if query.get("comp") == ["block"]:
            blocks[query["blockid"][0]] = data
            return self.answer(201) or True
        if query.get("comp") == ["blocklist"]:
            objects[path] = b"".join(blocks[i] for i in re.findall(r"<Latest>(.*?)</Latest>", data.decode()))
            return self.answer(201) or True
        return None

    def plain(self, path, query, data):
        if self.command in ("PUT", "POST"):
            objects[path] = data
            return self.answer(200)
        if path not in objects:
            return self.refuse(404, "NoSuchKey")
        if self.command == "DELETE":
            del objects[path]
            return self.answer(204)
        body = objects[path]
        tag = '"%s"' % hashlib.md5(body).hexdigest()
        if self.headers.get("If-Match") not in (None, tag):
            return self.refuse(412, "PreconditionFailed")
        first = self.first(tag)
        headers = [("ETag", tag)]
        if first:
            headers.append(("Content-Range", "bytes %d-%d/%d" % (first, len(body) - 1, len(body))))
        return self.answer(206 if first else 200, body[first:], headers)

    def do_GET(self):
        try:
            self.handle_one()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
with open(sys.argv[1] + ".tmp", "w") as f:
    f.write("%d\n" % server.server_address[1])
os.rename(sys.argv[1] + ".tmp", sys.argv[1])
while True:
    time.sleep(0.2)
    try:
        os.kill(PARENT, 0)
    except OSError:
        os._exit(0)
