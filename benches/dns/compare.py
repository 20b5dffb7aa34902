"""Judges the same zones with rehome and with checkdmarc, and compares.

benches/dns/compare.py REHOME [--rounds N] [--generated N] [--speed N] [--write README] [--table DOCS]

Without --speed: every case of zones.py, N times, and domains whose records are put together by chance; where the two
differ, the table in DOCS must say why, else it ends with 1. With --speed: N domains, each tool as it runs best here; the times are printed, and written into README.
"""

import argparse
import collections
import concurrent.futures
import importlib.metadata
import json
import logging
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import checkdmarc
import checkdmarc.dmarc
import checkdmarc.spf
import dns.resolver

from zones import domains, generated, served

logging.disable(logging.WARNING)
CODES = {"spf": "spf-", "dmarc": "dmarc-", "mx": "mx-"}
MISSING = {"spf-missing", "dmarc-missing", "mx-missing"}


def by_rehome(binary, port, name):
    """Which parts are right, and the codes of what is wrong."""
    words = [binary, "dns", "check", name, "--server", f"127.0.0.1:{port}", "--format", "json"]
    ran = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120)
    findings = json.loads(ran.stdout)["checked"][0]["findings"]
    # A record that is missing is no mistake of rehome's, only a warning; checkdmarc calls both invalid.
    wrong = [f["code"] for f in findings if f["severity"] == "error" or f["code"] in MISSING]
    return {part: sorted({c for c in wrong if c.startswith(start)}) for part, start in CODES.items()}


def by_checkdmarc(port, name):
    """The same: the words of the errors."""
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], port
    resolver.lifetime = 3
    options = {"resolver": resolver, "timeout": 2.0}
    out = {}
    spf = checkdmarc.spf.check_spf(name, **options)
    out["spf"] = [] if spf["valid"] else [str(spf.get("error", "invalid"))]
    dmarc = checkdmarc.dmarc.check_dmarc(name, **options)
    out["dmarc"] = [] if dmarc["valid"] else [str(dmarc.get("error", "invalid"))]
    mx = checkdmarc.check_mx(name, skip_tls=True, **options)
    said = [*mx.get("warnings", []), *([mx["error"]] if mx.get("error") else [])]
    # It has no errors for mail servers that cannot be reached, only warnings.
    bad = [w for w in said if re.search(r"does not have any A or AAAA|CNAME|not a valid|no MX|Failed|does not exist", w)]
    out["mx"] = bad
    return out


def explained(table):
    """The disagreements that the table explains: (part, case, rehome's verdict)."""
    rows = re.findall(r"^\| (spf|dmarc|mx) \| ([^|]+) \| (right|wrong)[^|]* \| ", table, re.M)
    return {(part, case.strip(), verdict) for part, case, verdict in rows}


def differential(binary, rounds, count, table):
    """Every case some times over, and records put together by chance, of which each part is compared."""
    cases = [(name, {part: {case}}, rows) for name, part, case, rows in domains(rounds)]
    chance = generated(count)
    every = cases + chance
    seen = collections.defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="rehome-dns-") as folder, served(pathlib.Path(folder), every) as port:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            ours = list(pool.map(lambda d: by_rehome(binary, port, d[0]), every))
            theirs = list(pool.map(lambda d: by_checkdmarc(port, d[0]), every))
    known = explained(table)
    compared = agreed = 0
    used, unexplained = set(), []
    for (name, parts, rows), mine, peers in zip(every, ours, theirs, strict=True):
        for part, of in parts.items():
            compared += 1
            if bool(mine[part]) == bool(peers[part]):
                agreed += 1
                continue
            verdict = "wrong" if mine[part] else "right"
            reasons = sorted(case for case in of if (part, case, verdict) in known)
            used.update((part, case, verdict) for case in reasons)
            case = ", ".join(reasons or sorted(of))
            seen[part, case, verdict].append((name, mine[part], peers[part]))
            if not reasons:
                unexplained.append((name, part, [row for row in rows if "v=" in row or " MX " in row]))
    print(f"{len(every)} domains, {len(chance)} of them by chance; {compared} comparisons, {agreed} alike, {len(seen)} cases differ")
    for (part, case, verdict), rows in sorted(seen.items()):
        name, mine, peers = rows[0]
        print(f"{part}, {case} ({len(rows)}): rehome {mine or 'right'}, checkdmarc {peers or 'right'}")
    for name, part, rows in unexplained:
        print(f"NOT EXPLAINED: {name}, {part}", *rows, sep="\n    ")
    stale = known - used
    for row in sorted(stale):
        print(f"NOT SO ANY MORE: {row}")
    return 0 if not unexplained and not stale else 1


def speed(binary, count, readme):
    # Half of them are put together by chance.
    every = [*domains(count // 85 + 1)][: count // 2]
    every += generated(count - len(every))
    with tempfile.TemporaryDirectory(prefix="rehome-dns-") as folder, served(pathlib.Path(folder), every) as port:
        times = {}
        for title, judge in (
            ("rehome dns check, a process each", lambda d: by_rehome(binary, port, d[0])),
            ("checkdmarc, one process", lambda d: by_checkdmarc(port, d[0])),
        ):
            begun = time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                list(pool.map(judge, every))
            times[title] = time.monotonic() - begun
    version = importlib.metadata.version("checkdmarc")
    lines = ["| 1,000 domains, 16 at a time | seconds | domains a second |".replace("1,000", f"{count:,}"), "|---|--:|--:|"]
    lines += [f"| {title} | {took:.1f} | {count / took:.0f} |" for title, took in times.items()]
    told = "\n".join(lines) + f"\n\ncheckdmarc {version}, Python {sys.version.split()[0]}, {os.cpu_count()} cores.\n"
    print(told)
    if readme:
        path = pathlib.Path(readme)
        text = path.read_text(encoding="utf-8")
        begin, end = "<!-- dns -->\n", "<!-- /dns -->\n"
        if begin not in text:
            text += f"\n## Mail DNS\n\nWritten by `scripts/bench-dns`.\n\n{begin}{end}"
        before, rest = text.split(begin)
        path.write_text(before + begin + told + end + rest.split(end)[1], encoding="utf-8")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rehome")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--generated", type=int, default=240)
    parser.add_argument("--speed", type=int)
    parser.add_argument("--write")
    parser.add_argument("--table", default=str(pathlib.Path(__file__).parents[2] / "docs/dns-peers.md"))
    args = parser.parse_args()
    if args.speed:
        speed(args.rehome, args.speed, args.write)
        return 0
    table = pathlib.Path(args.table)
    text = table.read_text(encoding="utf-8") if table.exists() else ""
    return differential(args.rehome, args.rounds, args.generated, text)


sys.exit(main())
