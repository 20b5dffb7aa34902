#!/usr/bin/env python3
"""Compare two mailboxes message by message, or a mailbox with a manifest taken earlier.

  check_mail.py compare  --source HOST PORT USER --target HOST PORT USER [options]
  check_mail.py snapshot --source HOST PORT USER --out MANIFEST.json [options]
  check_mail.py verify   --manifest MANIFEST.json --target HOST PORT USER [options]

Written with python's standard library alone, and sharing nothing with the program it checks.

Passwords are read from the environment: CHECK_SOURCE_PASSWORD and CHECK_TARGET_PASSWORD.

What is compared, folder by folder: every message as SHA-256 of its bytes (BODY.PEEK[]) together with INTERNALDATE (as
an instant, to the second) and flags and keywords (\\Recent aside), as a multiset: two equal messages on one side have
to be two on the other. Then the folders themselves and the subscriptions. Headers are read for people only: they
identify nothing.

Options
  --tls                   TLS from the first byte (default: none, for servers on this machine)
  --map "Sent=Sent Items" a folder has another name at the target; may be repeated
  --by-use                folders with a special use (RFC 6154) at both sides are the same folder, whatever their names
  --ignore-keyword K      a keyword that the target cannot hold; may be repeated
  --ignore-extra-folders  folders that only the target has are no difference when they are empty
  --no-subscriptions      subscriptions are not compared
  --examples N            lines per kind of difference (default 5)
  --json                  print the result as JSON

Exit code: 0 when nothing differs, 1 when something does, 2 when a mailbox could not be read.
"""
import argparse
import base64
import calendar
import collections
import hashlib
import imaplib
import json
import os
import re
import sys
import time

imaplib._MAXLINE = 64 << 20
CHUNK = 100
UID = re.compile(rb"\bUID (\d+)")
FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)")
DATE = re.compile(rb'INTERNALDATE "([ \d]\d)-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"')
MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
SPECIAL = {"\\all", "\\archive", "\\drafts", "\\flagged", "\\junk", "\\sent", "\\trash"}
SYSTEM = {"\\seen", "\\answered", "\\flagged", "\\deleted", "\\draft"}


class Unreadable(Exception):
    """A mailbox could not be read completely; nothing may be concluded."""


def from_wire(name):
    """Modified UTF-7 (RFC 3501 5.1.3) to text."""

    def shifted(match):
        inner = match.group(1)
        if not inner:
            return "&"
        inner = inner.replace(",", "/")
        return base64.b64decode(inner + "=" * (-len(inner) % 4)).decode("utf-16-be")

    return re.sub("&([^-]*)-", shifted, name)


class Mailbox:
    """One mailbox, read-only: LIST, LSUB, EXAMINE and FETCH with PEEK are all that is ever sent."""

    def __init__(self, host, port, user, password, tls):
        cls = imaplib.IMAP4_SSL if tls else imaplib.IMAP4
        self.imap = cls(host, int(port))
        if "AUTH=PLAIN" in self.imap.capabilities:
            self.imap.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
        else:
            self.imap.login(user, password)
        self.name = f"{user} at {host}:{port}"
        self.below_inbox = self.keeps_folders_below_inbox()

    def close(self):
        self.imap.logout()

    def keeps_folders_below_inbox(self):
        """Servers whose personal namespace is `INBOX.` mean the same folders as others without that prefix."""
        if "NAMESPACE" not in self.imap.capabilities:
            return False
        typ, rows = self.imap.namespace()
        return typ == "OK" and bool(rows and re.match(rb'\(\("INBOX[^"]', rows[0] or b"", re.I))

    def names(self, command):
        """Folder -> (name on the wire, attributes)."""
        typ, rows = getattr(self.imap, command)('""', "*")
        if typ != "OK":
            raise Unreadable(f"{self.name}: {command} failed: {rows}")
        out = {}
        for row in rows:
            if not row:
                continue
            head, literal = row if isinstance(row, tuple) else (row, None)
            match = re.match(rb'\(([^)]*)\) (?:"(\\?.)"|NIL) ?(.*)$', head, re.S)
            if not match:
                raise Unreadable(f"{self.name}: cannot read {row!r}")
            wire = literal if literal is not None else match.group(3)
            if literal is None and wire.startswith(b'"'):
                wire = re.sub(rb"\\(.)", rb"\1", wire[1:-1])
            wire = wire.decode("ascii")
            delimiter = (match.group(2) or b"").decode().replace("\\\\", "\\")
            name = from_wire(wire)
            parts = name.split(delimiter) if delimiter else [name]
            if parts[0].upper() == "INBOX":
                parts[0] = "INBOX"
                if len(parts) > 1 and self.below_inbox:
                    parts = parts[1:]
            out["/".join(parts)] = (wire, {a.lower() for a in match.group(1).decode().split()})
        return out

    def messages(self, wire):
        """Every message of a folder: (digest, date, flags, description)."""
        quoted = '"' + wire.replace("\\", "\\\\").replace('"', '\\"') + '"'
        typ, count = self.imap.select(quoted, readonly=True)
        if typ != "OK":
            raise Unreadable(f"{self.name}: cannot open {wire}: {count}")
        count = int(count[0])
        out = []
        for low in range(1, count + 1, CHUNK):
            high = min(count, low + CHUNK - 1)
            typ, rows = self.imap.fetch(f"{low}:{high}", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
            if typ != "OK":
                raise Unreadable(f"{self.name}: cannot fetch {wire} {low}:{high}: {rows}")
            chunk = [self.message(wire, rows, i) for i, row in enumerate(rows) if isinstance(row, tuple)]
            if len(chunk) != high - low + 1:
                raise Unreadable(f"{self.name}: {wire} {low}:{high} gave {len(chunk)} messages")
            out += chunk
        return out

    def message(self, wire, rows, i):
        head, body = rows[i]
        tail = rows[i + 1] if i + 1 < len(rows) and isinstance(rows[i + 1], bytes) else b""
        told = head + b" " + tail
        uid, flags, date = UID.search(told), FLAGS.search(told), DATE.search(told)
        if not (uid and flags and date):
            raise Unreadable(f"{self.name}: {wire}: cannot read {told!r}")
        day, month, year, hour, minute, second, sign, zh, zm = date.groups()
        zone = (int(zh) * 60 + int(zm)) * 60 * (-1 if sign == b"-" else 1)
        wall = (int(year), MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))
        instant = calendar.timegm(wall) - zone
        kept = {f if not f.startswith("\\") else f.lower() for f in flags.group(1).decode("utf-8", "replace").split()}
        subject = re.search(rb"(?im)^subject:\s*(.{0,60})", body[:4000])
        words = subject.group(1).decode("latin-1").strip() if subject else "(no subject)"
        description = f"UID {uid.group(1).decode()}, {len(body)} octets, {ascii(words)}"
        return hashlib.sha256(body).hexdigest(), instant, sorted(kept - {"\\recent"}), description


def read(mailbox):
    """The whole mailbox as plain data: what `snapshot` writes."""
    listed = mailbox.names("list")
    subscribed = mailbox.names("lsub")
    folders = {}
    for name, (wire, attributes) in sorted(listed.items()):
        if attributes & {"\\noselect", "\\nonexistent"}:
            continue
        folders[name] = {
            "use": sorted(attributes & SPECIAL),
            "subscribed": name in subscribed,
            "messages": mailbox.messages(wire),
        }
    return {"format": 1, "mailbox": mailbox.name, "taken": int(time.time()), "folders": folders}


class Result:
    def __init__(self, examples, quiet):
        self.counts = collections.Counter()
        self.examples, self.quiet = examples, quiet

    def differs(self, kind, text):
        self.counts[kind] += 1
        if self.quiet:
            return
        if self.counts[kind] <= self.examples:
            print(f"{kind}: {text}")
        elif self.counts[kind] == self.examples + 1:
            print(f"{kind}: ...")


def counterpart(name, folder, target, options):
    """The folder of the target that should hold the same mail."""
    if name in options.map:
        return options.map[name]
    for mapped, to in options.map.items():
        if name.startswith(mapped + "/"):
            return to + name[len(mapped):]
    if options.by_use and folder["use"]:
        for other, candidate in target.items():
            if set(candidate["use"]) & set(folder["use"]):
                return other
    return name


def compare_messages(name, source, target, options, result):
    """Multisets by content; then date and flags of equal contents, paired so that the fewest differences remain."""
    drop = {k.lower() for k in options.ignore_keyword}

    def key(message):
        return message[1], tuple(f for f in message[2] if f.lower() not in drop)

    left, right = collections.defaultdict(list), collections.defaultdict(list)
    for message in source:
        left[message[0]].append(message)
    for message in target:
        right[message[0]].append(message)
    for digest in sorted(set(left) | set(right)):
        a, b = left.get(digest, []), right.get(digest, [])
        for same in (key, lambda m: key(m)[1], lambda m: m[1], lambda m: 0):
            waiting = collections.defaultdict(list)
            for message in b:
                waiting[same(message)].append(message)
            unpaired = []
            for message in a:
                found = waiting.get(same(message))
                if not found:
                    unpaired.append(message)
                    continue
                other = found.pop(0)
                b.remove(other)
                if message[1] != other[1]:
                    result.differs("changed date", f"{name}: {message[3]}: {message[1]} became {other[1]}")
                if key(message)[1] != key(other)[1]:
                    lost = sorted(set(key(message)[1]) - set(key(other)[1]))
                    gained = sorted(set(key(other)[1]) - set(key(message)[1]))
                    result.differs("changed flags", f"{name}: {message[3]}: lost {lost}, gained {gained}")
            a = unpaired
        for message in a:
            result.differs("missing", f"{name}: {message[3]}")
        for message in b:
            kind = "duplicate" if digest in left else "extra"
            result.differs(kind, f"{name}: {message[3]}")


def compare(source, target, options, result):
    seen = collections.defaultdict(list)
    for name, folder in source["folders"].items():
        seen[counterpart(name, folder, target["folders"], options)].append(name)
    for other, names in sorted(seen.items()):
        folders = [source["folders"][n] for n in names]
        wanted = [m for f in folders for m in f["messages"]]
        title = names[0] if names == [other] else f"{', '.join(names)} -> {other}"
        result.counts["messages compared"] += len(wanted)
        if other not in target["folders"]:
            result.differs("missing folder", f"{title} ({len(wanted)} messages)")
            result.counts["missing"] += len(wanted)
            continue
        there = target["folders"][other]
        compare_messages(title, wanted, there["messages"], options, result)
        if options.subscriptions and any(f["subscribed"] for f in folders) != there["subscribed"]:
            words = "is" if there["subscribed"] else "is not"
            result.differs("subscription", f"{title}: at the target it {words} subscribed")
    for name, folder in sorted(target["folders"].items()):
        if name in seen:
            continue
        if folder["messages"] or not options.ignore_extra_folders:
            result.differs("extra folder", f"{name} ({len(folder['messages'])} messages)")
        result.counts["extra"] += len(folder["messages"])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("compare", "snapshot", "verify"))
    parser.add_argument("--source", nargs=3, metavar=("HOST", "PORT", "USER"))
    parser.add_argument("--target", nargs=3, metavar=("HOST", "PORT", "USER"))
    parser.add_argument("--manifest")
    parser.add_argument("--out")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--map", action="append", default=[], metavar="SOURCE=TARGET")
    parser.add_argument("--by-use", action="store_true")
    parser.add_argument("--ignore-keyword", action="append", default=[])
    parser.add_argument("--ignore-extra-folders", action="store_true")
    parser.add_argument("--no-subscriptions", dest="subscriptions", action="store_false")
    parser.add_argument("--examples", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.map = dict(pair.split("=", 1) for pair in options.map)
    needed = {"compare": ("source", "target"), "snapshot": ("source", "out"), "verify": ("manifest", "target")}
    for name in needed[options.mode]:
        if getattr(options, name) is None:
            parser.error(f"{options.mode} needs --{name}")
    return options


def load(side, options):
    password = os.environ.get(f"CHECK_{side.upper()}_PASSWORD")
    if password is None:
        raise Unreadable(f"set CHECK_{side.upper()}_PASSWORD")
    mailbox = Mailbox(*getattr(options, side), password, options.tls)
    try:
        return read(mailbox)
    finally:
        mailbox.close()


def main():
    options = arguments()
    try:
        if options.mode == "snapshot":
            manifest = load("source", options)
            with open(options.out, "w", encoding="utf-8") as out:
                json.dump(manifest, out)
            total = sum(len(f["messages"]) for f in manifest["folders"].values())
            print(f"{total} messages in {len(manifest['folders'])} folders")
            return 0
        if options.mode == "verify":
            with open(options.manifest, encoding="utf-8") as text:
                source = json.load(text)
            if source.get("format") != 1:
                raise Unreadable(f"{options.manifest} has a format that is not known here")
        else:
            source = load("source", options)
        target = load("target", options)
    except (Unreadable, OSError, imaplib.IMAP4.error) as error:
        print(f"cannot read: {error}", file=sys.stderr)
        return 2
    result = Result(options.examples, options.json)
    compare(source, target, options, result)
    compared = result.counts.pop("messages compared")
    differences = {kind: n for kind, n in sorted(result.counts.items()) if n}
    if options.json:
        print(json.dumps({"compared": compared, "differences": differences}))
    else:
        told = ", ".join(f"{n} {kind}" for kind, n in differences.items()) or "no difference"
        print(f"{compared} messages compared: {told}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
