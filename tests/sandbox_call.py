"""A call to a sandbox of rehome behind its back.

tests/sandbox_call.py READY_FILE METHOD PATH [JSON]

Paths below /sandbox are the rehearsal's own and need no signature; all others are signed as OVHcloud wants it.
"""

import hashlib
import json
import sys
import urllib.request

ready_file, method, path = sys.argv[1:4]
body = sys.argv[4] if len(sys.argv) > 4 else ""
with open(ready_file, encoding="utf-8") as file:
    ready = json.load(file)
api = ready["api"]
headers = {"Content-Type": "application/json"}
if path.startswith("/sandbox/"):
    url = api.removesuffix("/1.0") + path
else:
    url = api + path
    with urllib.request.urlopen(f"{api}/auth/time", timeout=10) as answer:
        now = answer.read().decode()
    text = "+".join([ready["application_secret"], ready["consumer_key"], method, url, body, now])
    headers |= {
        "X-Ovh-Application": ready["application_key"],
        "X-Ovh-Consumer": ready["consumer_key"],
        "X-Ovh-Timestamp": now,
        "X-Ovh-Signature": "$1$" + hashlib.sha1(text.encode()).hexdigest(),
    }
request = urllib.request.Request(url, data=body.encode() or None, headers=headers, method=method)
with urllib.request.urlopen(request, timeout=10) as answer:
    print(answer.read().decode())
