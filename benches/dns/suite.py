"""Runs the openspf.org test suite of RFC 7208 through `rehome dns spf`, each part with a server of its own on loopback.

benches/dns/suite.py REHOME SUITE

SUITE is rfc7208-tests.yml as pyspf has it. A type that a name has no record of and that is to time out gets no answer;
a name is what its labels are, spaces and percent signs among them. Ends with 1 when a case is not as the suite says.
"""

import concurrent.futures
import json
import os
import pathlib
import socketserver
import struct
import subprocess
import sys
import threading

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import yaml

TYPES = {t: dns.rdatatype.from_text(t) for t in ("A", "AAAA", "CNAME", "MX", "PTR", "TXT")}


def name_of(text):
    """The absolute name whose labels stand between the dots, whatever is in them."""
    labels = [label.encode() for label in str(text).rstrip(".").split(".") if label]
    return dns.name.Name([*labels, b""])


def text_record(value):
    """The strings of a TXT record, none longer than 255 octets, in presentation form."""
    parts = value if isinstance(value, list) else [value]
    raw = [str(part).encode() for part in parts]
    cut = [piece for part in raw for piece in ([part[i : i + 255] for i in range(0, len(part), 255)] or [b""])]
    return " ".join('"' + "".join(f"\\{octet:03}" for octet in piece) + '"' for piece in cut or [b""])


class Zone:
    """What the names of one part of the suite have."""

    def __init__(self, data):
        self.records = {name_of(name).canonicalize(): records for name, records in data.items()}

    def of(self, name, kind):
        """The records of a type; `None` when the question is to time out."""
        records = self.records[name]
        types = [key for record in records if isinstance(record, dict) for key in record]
        out = []
        for record in (r for r in records if isinstance(r, dict)):
            for key, value in record.items():
                # The suite was written when SPF records had a type of their own: without TXT they stand for it.
                key = "TXT" if key == "SPF" and "TXT" not in types else key
                if key == kind and value != "NONE":
                    out.append(value)
        silent = any(r == "TIMEOUT" or (isinstance(r, dict) and "TIMEOUT" in r) for r in records)
        return None if silent and not out else out

    def answer(self, question):
        """The answer to a message; `None` for silence."""
        reply = dns.message.make_response(question)
        reply.flags |= dns.flags.AA
        asked = question.question[0]
        kind, name, seen = dns.rdatatype.to_text(asked.rdtype), asked.name, set()
        while True:
            key = name.canonicalize()
            if key not in self.records:
                reply.set_rcode(dns.rcode.NXDOMAIN)
                return reply
            found = self.of(key, kind)
            if found is None:
                return None
            alias = self.of(key, "CNAME") or []
            if alias and kind != "CNAME" and key not in seen:
                seen.add(key)
                target = name_of(alias[0])
                reply.answer.append(rrset(name, "CNAME", [target.to_text()]))
                name = target
                continue
            if found:
                reply.answer.append(rrset(name, kind, [presented(kind, value) for value in found]))
            return reply


def presented(kind, value):
    if kind == "TXT":
        return text_record(value)
    if kind == "MX":
        return f"{value[0]} {name_of(value[1]).to_text()}"
    return name_of(value).to_text() if kind in ("PTR", "CNAME") else str(value)


def rrset(name, kind, values):
    data = [dns.rdata.from_text(dns.rdataclass.IN, TYPES[kind], value) for value in values]
    return dns.rrset.from_rdata_list(name, 60, data)


def reply_to(zone, octets, limit):
    """The octets of the answer, cut short where they do not fit a datagram."""
    question = dns.message.from_wire(octets)
    reply = zone.answer(question) if question.question[0].rdtype in TYPES.values() else dns.message.make_response(question)
    if reply is None:
        return None
    whole = reply.to_wire(max_size=65535)
    if len(whole) <= limit(question):
        return whole
    short = dns.message.make_response(question)
    short.flags |= dns.flags.AA | dns.flags.TC
    return short.to_wire()


class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        octets, socket = self.request
        reply = reply_to(self.server.zone, octets, lambda q: max(q.payload, 512))
        if reply is not None:
            socket.sendto(reply, self.client_address)


class Stream(socketserver.StreamRequestHandler):
    def handle(self):
        head = self.rfile.read(2)
        if len(head) == 2:
            reply = reply_to(self.server.zone, self.rfile.read(struct.unpack("!H", head)[0]), lambda _: 65535)
            if reply is not None:
                self.wfile.write(struct.pack("!H", len(reply)) + reply)


def served(zone):
    """Servers of a zone by both transports at one port."""
    while True:
        tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Stream)
        try:
            udp = socketserver.ThreadingUDPServer(tcp.server_address, Datagram)
            break
        except OSError:  # somebody else has the same port for datagrams
            tcp.server_close()
    for server in (udp, tcp):
        server.zone, server.daemon_threads = zone, True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    return udp, tcp


def told(binary, port, case):
    """What rehome says of a case."""
    sender, helo = str(case.get("mailfrom") or ""), str(case["helo"])
    domain = sender.rsplit("@", 1)[-1] if sender else helo
    words = [binary, "dns", "spf", domain, "--ip", str(case["host"]), "--helo", helo, "--sender", sender]
    words += ["--server", f"127.0.0.1:{port}", "--format", "json"]
    quick = os.environ | {"REHOME_DNS_TIMEOUT_MILLIS": "400"}
    ran = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60, env=quick)
    return json.loads(ran.stdout) if ran.stdout else {"result": ran.stderr.decode()}


def difference(case, said):
    """Why a result is not the one of the suite; nothing when it is."""
    wanted = case["result"] if isinstance(case["result"], list) else [case["result"]]
    if said["result"] not in wanted:
        return f"{said['result']}, and {' or '.join(wanted)} is right"
    explanation = case.get("explanation")
    # DEFAULT stands for the words of whoever checks.
    if said["result"] == "fail" and explanation not in (None, "DEFAULT", said["explanation"]):
        return f"explains {said['explanation']!r}, and {explanation!r} is right"
    return None


def main():
    binary, suite = sys.argv[1:]
    right, wrong = 0, []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for part in yaml.safe_load_all(pathlib.Path(suite).read_text(encoding="utf-8")):
            if not part or "tests" not in part:
                continue
            servers = served(Zone(part["zonedata"]))
            port = servers[0].server_address[1]
            cases = part["tests"]
            for (name, case), said in zip(cases.items(), pool.map(lambda c: told(binary, port, c), cases.values())):
                why = difference(case, said)
                right += why is None
                if why:
                    wrong.append(f"{part['description']}, {name}: {why}")
            for server in servers:
                server.shutdown()
                server.server_close()
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{right} of {right + len(wrong)} cases of the RFC 7208 suite are as it says")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
