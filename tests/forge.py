"""A forge that knows comments: as much of GitHub's and GitLab's API as examples/gitops/ci/comment uses.

tests/forge.py PORT_FILE    serves on loopback until it is ended; GET /all is every comment, for the test
"""

import json
import os
import re
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

COMMENTS = {"github": {}, "gitlab": {}}
# Comments of people, so that the right one is found on the second page.
for kind in COMMENTS.values():
    for number in range(1, 151):
        kind[number] = "looks good"

ROUTES = [
    ("GET", r"/repos/team/mail/issues/7/comments", "github"),
    ("POST", r"/repos/team/mail/issues/7/comments", "github"),
    ("PATCH", r"/repos/team/mail/issues/comments/(\d+)", "github"),
    ("GET", r"/projects/3/merge_requests/7/notes", "gitlab"),
    ("POST", r"/projects/3/merge_requests/7/notes", "gitlab"),
    ("PUT", r"/projects/3/merge_requests/7/notes/(\d+)", "gitlab"),
]
KEYS = {"github": ("Authorization", "Bearer forge-token"), "gitlab": ("PRIVATE-TOKEN", "forge-token")}


class Forge(BaseHTTPRequestHandler):
    def answer(self):
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if url.path == "/all":
            return self.say(200, COMMENTS)
        for verb, pattern, kind in ROUTES:
            found = re.fullmatch(pattern, url.path)
            if verb != self.command or not found:
                continue
            header, value = KEYS[kind]
            if self.headers.get(header) != value:
                return self.say(401, {})
            comments = COMMENTS[kind]
            if verb == "GET":
                query = parse_qs(url.query)
                size, page = int(query["per_page"][0]), int(query["page"][0])
                rows = [{"id": n, "body": text} for n, text in comments.items()]
                return self.say(200, rows[(page - 1) * size : page * size])
            text = json.loads(body)["body"]
            if len(text) > 65_536:
                return self.say(422, {"message": "body is too long"})
            number = int(found[1]) if found.groups() else max(comments) + 1
            comments[number] = text
            return self.say(200 if found.groups() else 201, {"id": number, "body": text})
        return self.say(404, {})

    do_GET = do_POST = do_PATCH = do_PUT = answer

    def say(self, status, data):
        text = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Forge)
with open(sys.argv[1] + ".partial", "w", encoding="ascii") as file:
    file.write(str(server.server_port))
os.rename(sys.argv[1] + ".partial", sys.argv[1])
server.serve_forever()
