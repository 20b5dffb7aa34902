"""Domains with mail DNS of every kind, right and wrong, as zones of an NSD on loopback."""

import contextlib
import random
import socket
import subprocess
import time

HOST = "mx IN A 192.0.2.25"
GOOD = {"mx": ["10 mx.{d}."], "spf": ["v=spf1 mx -all"], "dmarc": ["v=DMARC1; p=reject; rua=mailto:r@{d}"]}

# Name: what is special of SPF, the records, and other rows of the zone.
SPF = {
    "plain": (["v=spf1 mx -all"], []),
    "softfail": (["v=spf1 a mx ~all"], ["@ IN A 192.0.2.80"]),
    "ip4": (["v=spf1 ip4:192.0.2.0/{p} -all"], []),
    "ip6": (["v=spf1 ip6:2001:db8::/{q} -all"], []),
    "none": ([], []),
    "two records": (["v=spf1 mx -all", "v=spf1 a -all"], []),
    "upper case": (["V=SPF1 MX -ALL"], []),
    "no policy at the end": (["v=spf1 mx"], []),
    "everybody may": (["v=spf1 +all"], []),
    "neutral": (["v=spf1 mx ?all"], []),
    "glued": (["v=spf1 mx~all"], []),
    "typo of a mechanism": (["v=spf1 ipv4:192.0.2.1 -all"], []),
    "ip4 with an IPv6 address": (["v=spf1 ip4:2001:db8::1 -all"], []),
    "ip4 out of range": (["v=spf1 ip4:192.0.2.{p}00 -all"], []),
    "ip4 with a long prefix": (["v=spf1 ip4:192.0.2.1/33 -all"], []),
    "include of a record": (["v=spf1 include:in.{d} -all"], ['in IN TXT "v=spf1 ip4:192.0.2.1 -all"']),
    "include of nothing": (["v=spf1 include:in.{d} -all"], []),
    "include of another text": (["v=spf1 include:in.{d} -all"], ['in IN TXT "hello"']),
    "include of itself": (["v=spf1 include:{d} -all"], []),
    "include in a circle": (["v=spf1 include:in.{d} -all"], ['in IN TXT "v=spf1 include:{d} -all"']),
    "ten lookups": (["v=spf1 " + "include:i.{d} " * 0 + " ".join(f"a:h{n}.{{d}}" for n in range(10)) + " -all"],
                    [f"h{n} IN A 192.0.2.{n}" for n in range(10)]),
    "eleven lookups": (["v=spf1 " + " ".join(f"a:h{n}.{{d}}" for n in range(11)) + " -all"],
                       [f"h{n} IN A 192.0.2.{n}" for n in range(11)]),
    "eleven lookups through an include": (["v=spf1 include:in.{d} mx -all"],
                                          ['in IN TXT "v=spf1 ' + " ".join(f"a:h{n}.{{d}}" for n in range(9)) + ' -all"']
                                          + [f"h{n} IN A 192.0.2.{n}" for n in range(9)]),
    "two voids": (["v=spf1 a:v1.{d} a:v2.{d} -all"], []),
    "three voids": (["v=spf1 a:v1.{d} a:v2.{d} a:v3.{d} -all"], []),
    "redirect": (["v=spf1 redirect=in.{d}"], ['in IN TXT "v=spf1 ip4:192.0.2.1 -all"']),
    "redirect to nothing": (["v=spf1 redirect=in.{d}"], []),
    "redirect beside all": (["v=spf1 mx redirect=in.{d} -all"], ['in IN TXT "v=spf1 -all"']),
    "two redirects": (["v=spf1 redirect=in.{d} redirect=in.{d}"], ['in IN TXT "v=spf1 -all"']),
    "something after all": (["v=spf1 -all mx"], []),
    "macro": (["v=spf1 exists:%{{i}}.x.{d} -all"], []),
    "bad macro": (["v=spf1 exists:%{{y}}.x.{d} -all"], []),
    "ptr": (["v=spf1 ptr -all"], []),
    "unknown modifier": (["v=spf1 mx moo=cow -all"], []),
    "empty include": (["v=spf1 include: -all"], []),
    "include with a scheme": (["v=spf1 include:https://in.{d} -all"], []),
    "beside another text": (["v=spf1 mx -all", "site-verification={n}"], []),
    "version only": (["v=spf1"], []),
    "wrong version": (["v=spf2 mx -all"], []),
    "in two strings": (['v=spf1 mx "" -all'.replace('""', '" "')], []),
    "mx of another name": (["v=spf1 mx:in.{d} -all"], ["in IN MX 5 mx.{d}."]),
    "a with a prefix": (["v=spf1 a:mx.{d}/24 -all"], []),
    "a with both prefixes": (["v=spf1 a:mx.{d}/24//64 -all"], []),
    "trailing blank": (["v=spf1 mx -all "], []),
    "two blanks": (["v=spf1  mx  -all"], []),
}

DMARC = {
    "quarantine": ["v=DMARC1; p=quarantine"],
    "monitoring": ["v=DMARC1; p=none; rua=mailto:r@{d}"],
    "none": [],
    "two records": ["v=DMARC1; p=none", "v=DMARC1; p=reject"],
    "no policy": ["v=DMARC1; rua=mailto:r@{d}"],
    "no policy and no address": ["v=DMARC1"],
    "unknown policy": ["v=DMARC1; p=discard"],
    "policy first": ["p=none; v=DMARC1"],
    "lower case version": ["v=dmarc1; p=none"],
    "percent": ["v=DMARC1; p=quarantine; pct={p}"],
    "percent over 100": ["v=DMARC1; p=quarantine; pct=1{p}0"],
    "percent is no number": ["v=DMARC1; p=quarantine; pct=all"],
    "address without mailto": ["v=DMARC1; p=none; rua=r@{d}"],
    "alignment": ["v=DMARC1; p=reject; adkim=s; aspf=r"],
    "unknown alignment": ["v=DMARC1; p=reject; adkim=x"],
    "unknown tag": ["v=DMARC1; p=none; foo=bar"],
    "subdomain policy": ["v=DMARC1; p=none; sp=reject"],
    "unknown subdomain policy": ["v=DMARC1; p=none; sp=maybe"],
    "failure options": ["v=DMARC1; p=none; fo=1:d:s"],
    "unknown failure option": ["v=DMARC1; p=none; fo=2"],
    "missing semicolon": ["v=DMARC1 p=none"],
    "trailing semicolon": ["v=DMARC1; p=none;"],
    "interval": ["v=DMARC1; p=none; ri=86400"],
    "reports go elsewhere, agreed": ["v=DMARC1; p=none; rua=mailto:r@reports.test"],
    "reports go elsewhere, not agreed": ["v=DMARC1; p=none; rua=mailto:r@silent.test"],
    "test mode": ["v=DMARC1; p=reject; t=y"],
    "policy for names that do not exist": ["v=DMARC1; p=none; np=reject"],
    "beside another text": ["v=DMARC1; p=none", "hello"],
    "repeated tag": ["v=DMARC1; p=none; p=reject"],
}

MX = {
    "two hosts": (["10 mx.{d}.", "20 mx2.{d}."], ["mx2 IN A 192.0.2.26"]),
    "none": ([], []),
    "null": (["0 ."], []),
    "null beside another": (["0 .", "10 mx.{d}."], []),
    "no address": (["10 gone.{d}."], []),
    "an alias": (["10 al.{d}."], ["al IN CNAME mx.{d}."]),
    "itself": (["10 {d}."], ["@ IN A 192.0.2.80"]),
    "written twice": (["10 mx.{d}.{d}."], []),
    "same preference": (["10 mx.{d}.", "10 mx2.{d}."], ["mx2 IN A 192.0.2.26"]),
    "only IPv6": (["10 six.{d}."], ["six IN AAAA 2001:db8::25"]),
    "an address for a name": (["10 192.0.2.25."], []),
}


def domains(rounds, seed=1):
    """(name, part, case, rows of the zone) for every case, as many times as asked, each with other numbers."""
    rng = random.Random(seed)
    out = []
    for _ in range(rounds):
        for part, cases in (("spf", SPF), ("dmarc", DMARC), ("mx", MX)):
            for case, what in cases.items():
                name = f"d{len(out):04}.test"
                fill = {"d": name, "n": rng.randrange(10**6), "p": rng.randrange(24, 32), "q": rng.randrange(32, 64)}
                records, more = what if isinstance(what, tuple) else (what, [])
                chosen = {**GOOD, part: records}
                rows = [HOST, *more]
                rows += [f"@ IN MX {value}" for value in chosen["mx"]]
                rows += [f'@ IN TXT "{value}"' for value in chosen["spf"]]
                rows += [f'_dmarc IN TXT "{value}"' for value in chosen["dmarc"]]
                rows += [f"{name}._report._dmarc.reports.test. IN TXT x" for _ in range(0)]
                out.append((name, part, case, [row.format(**fill) for row in rows]))
    return out


# What a generated SPF record is made of: the case that it belongs to, a term, and other rows of the zone.
TERMS = [
    ("plain", "mx", []),
    ("plain", "ip4:192.0.2.{n8}/{p}", []),
    ("plain", "ip6:2001:db8:{n8:x}::/{q}", []),
    ("plain", "a:h{n8}.{d}", ["h{n8} IN A 192.0.2.{n8}"]),
    ("plain", "include:i{n8}.{d}", ['i{n8} IN TXT "v=spf1 ip4:198.51.100.{n8} -all"']),
    ("macro", "exists:%{{i}}._x.{d}", []),
    ("ptr", "ptr", []),
    ("a with a prefix", "a:mx.{d}/{p}", []),
    ("a with both prefixes", "mx/{p}//64", []),
    ("include of nothing", "include:none{n8}.{d}", []),
    ("include of another text", "include:t{n8}.{d}", ['t{n8} IN TXT "hello"']),
    ("include of itself", "include:{d}", []),
    ("void", "a:v{n8}.{d}", []),
    ("void", "mx:w{n8}.{d}", []),
    ("typo of a mechanism", "ipv4:192.0.2.1", []),
    ("ip4 with an IPv6 address", "ip4:2001:db8::{n8}", []),
    ("ip4 out of range", "ip4:192.0.2.{n8}9{n8}", []),
    ("ip4 with a long prefix", "ip4:192.0.2.1/33", []),
    ("unknown modifier", "moo{n8}=cow", []),
    ("empty include", "include:", []),
    ("bad macro", "exists:%{{y}}.{d}", []),
]
ENDS = [("plain", "-all"), ("softfail", "~all"), ("neutral", "?all"), ("everybody may", "+all"), ("no policy at the end", ""),
        ("redirect", "redirect=i0.{d}"), ("redirect to nothing", "redirect=none.{d}"),
        ("something after all", "-all ip4:203.0.113.9"), ("redirect beside all", "redirect=i0.{d} -all")]
# The same of a DMARC record.
POLICIES = [("plain", "p=none"), ("plain", "p=quarantine"), ("plain", "p=reject"), ("unknown policy", "p=discard"),
            ("no policy", "")]
TAGS = [
    ("plain", "rua=mailto:r@{d}"),
    ("address without mailto", "rua=r@{d}"),
    ("alignment", "adkim=s"),
    ("alignment", "aspf=r"),
    ("unknown alignment", "aspf=x"),
    ("subdomain policy", "sp=reject"),
    ("unknown subdomain policy", "sp=maybe"),
    ("policy for names that do not exist", "np=quarantine"),
    ("failure options", "fo=1:d:s"),
    ("unknown failure option", "fo=2"),
    ("unknown tag", "foo=bar"),
    ("percent", "pct={p}"),
    ("percent is no number", "pct=all"),
    ("interval", "ri=86400"),
    ("test mode", "t=y"),
]
# The same of the mail servers.
HOSTS = [
    ("plain", "mx.{d}.", []),
    ("plain", "mx{n8}.{d}.", ["mx{n8} IN A 192.0.2.{n8}"]),
    ("only IPv6", "six{n8}.{d}.", ["six{n8} IN AAAA 2001:db8::{n8:x}"]),
    ("no address", "gone{n8}.{d}.", []),
    ("an alias", "al{n8}.{d}.", ["al{n8} IN CNAME mx.{d}."]),
    ("null beside another", ".", []),
    ("an address for a name", "192.0.2.{n8}.", []),
]


def chance(rng, pool, often):
    """One of a pool: the harmless ones more often, so that most records have one thing wrong or none."""
    harmless = [entry for entry in pool if entry[0] == "plain"]
    return rng.choice(harmless) if rng.random() < often else rng.choice(pool)


def generated(count, seed=7):
    """(name, {part: the cases that its records belong to}, rows of the zone), with records put together by chance."""
    rng = random.Random(seed)
    out = []
    for at in range(count):
        name = f"g{at:04}.test"
        cases = {"spf": set(), "dmarc": set(), "mx": set()}
        rows = {HOST, '@ IN A 192.0.2.80', 'i0 IN TXT "v=spf1 ip4:198.51.100.200 -all"'}

        def fill(text):
            return text.format(d=name, n8=number, p=rng.randrange(24, 32), q=rng.randrange(48, 64))

        terms = []
        for _ in range(rng.choice([1, 1, 2, 2, 3, 4, 6, 12])):
            number = rng.randrange(1, 200)
            case, term, more = chance(rng, TERMS, 0.8)
            cases["spf"].add(case)
            terms.append(fill(term))
            rows.update(row.format(d=name, n8=number) for row in more)
        number = 0
        case, end = chance(rng, ENDS, 0.6)
        cases["spf"].add(case)
        record = " ".join(["v=spf1", *terms, fill(end)]).strip()
        if rng.random() < 0.04:
            cases["spf"].add("upper case")
            record = record.upper()
        texts = [record]
        if rng.random() < 0.04:
            cases["spf"].add("two records")
            texts.append("v=spf1 a -all")
        if rng.random() < 0.1:
            texts.append(f"site-verification={number}")
        # A character string has 255 octets at most.
        strings = ([text[at : at + 200] for at in range(0, len(text), 200)] for text in texts)
        rows.update("@ IN TXT " + " ".join(f'"{part}"' for part in parts) for parts in strings)

        case, policy = chance(rng, POLICIES, 0.85)
        cases["dmarc"].add(case)
        tags = [policy] if policy else []
        names = {"p"} if policy else set()
        for _ in range(rng.randrange(4)):
            case, tag = chance(rng, TAGS, 0.4)
            if tag.split("=")[0] not in names:
                names.add(tag.split("=")[0])
                cases["dmarc"].add(case)
                tags.append(fill(tag))
        if not policy and not any(tag.startswith("rua=mailto:") for tag in tags):
            cases["dmarc"].add("no policy and no address")
        if "unknown policy" in cases["dmarc"] and any(tag.startswith("rua=mailto:") for tag in tags):
            cases["dmarc"].add("unknown policy with an address")
        if "unknown subdomain policy" in cases["dmarc"] and any(tag.startswith("rua=mailto:") for tag in tags):
            cases["dmarc"].add("unknown subdomain policy with an address")
        rows.add(f'_dmarc IN TXT "{"; ".join(["v=DMARC1", *tags])}"')

        used = set()
        for _ in range(rng.choice([1, 1, 2, 3])):
            number = rng.randrange(1, 200)
            case, host, more = chance(rng, HOSTS, 0.7)
            host = fill(host)
            if host not in used:
                used.add(host)
                cases["mx"].add(case)
                rows.add(f"@ IN MX {0 if host == '.' else rng.randrange(1, 60)} {host}")
                rows.update(row.format(d=name, n8=number) for row in more)
        if used == {"."}:
            cases["mx"] = {"null"}
        out.append((name, cases, sorted(rows)))
    return out


@contextlib.contextmanager
def served(folder, all_domains):
    """An NSD with a zone for each domain; gives its port."""
    soa = "$ORIGIN {0}.\n$TTL 300\n@ IN SOA ns1 host 1 3600 600 86400 300\n@ IN NS ns1\nns1 IN A 127.0.0.1\n"
    texts = {name: soa.format(name) + "\n".join(rows) + "\n" for name, *_, rows in all_domains}
    cuts = "".join(f"{name}. IN NS ns1.{name}.\nns1.{name}. IN A 127.0.0.1\n" for name in texts)
    texts["test"] = soa.format("test") + cuts
    agreed = "".join(f'{name}._report._dmarc IN TXT "v=DMARC1"\n' for name, *_ in all_domains)
    texts["reports.test"] = soa.format("reports.test") + agreed
    texts["silent.test"] = soa.format("silent.test")
    texts["test"] += "reports IN NS ns1.reports\nns1.reports IN A 127.0.0.1\n"
    texts["test"] += "silent IN NS ns1.silent\nns1.silent IN A 127.0.0.1\n"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = [
        f"server:\n  ip-address: 127.0.0.1@{port}\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{folder}\"",
        f"  database: \"\"\n  pidfile: \"{folder}/nsd.pid\"\n  xfrdfile: \"{folder}/xfrd\"",
        f"  zonelistfile: \"{folder}/zones\"\n  server-count: 1\n  logfile: \"{folder}/nsd.log\"",
        "  rrl-ratelimit: 0\nremote-control:\n  control-enable: no",
    ]
    for name, text in texts.items():
        (folder / f"{name}.zone").write_text(text, encoding="utf-8")
        config.append(f"zone:\n  name: {name}\n  zonefile: {folder}/{name}.zone")
    (folder / "nsd.conf").write_text("\n".join(config) + "\n", encoding="ascii")
    with open(folder / "nsd.out", "wb") as out:
        server = subprocess.Popen(
            ["/usr/sbin/nsd", "-d", "-c", str(folder / "nsd.conf")], stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(10)
