"""A deterministic corpus of mail, written as Maildir trees: the same arguments give the same bytes.

It has what real mailboxes have and copies tend to lose: nested folders with names outside ASCII, a parent that cannot be
selected, an empty folder, special-use folders, subscriptions that leave two folders out, all system flags with
\\Deleted, keywords, dates of arrival from 1971 on that differ from the Date header, 8-bit text and raw 8-bit headers,
attachments, messages without a Message-ID, with somebody else's, and exact copies, messages without a final newline,
without a body, with a very long line, with a bare CR.
"""
import base64
import bisect
import os
import random
import shutil
import subprocess
import time

FOLDERS = ["INBOX", "Sent", "Archive", "Archive/2023", "Projekte/Größe & Maße", "日本語/受信", "Trash",
           "Lists/rust-lang", "Drafts", "Family & Friends", "Junk", "Archive/2024", "Projekte", "Zażółć gęślą", "Empty",
           "Lists/a~b %c", "deep/er/and/deep/er/still", "Emoji 📬"]
WEIGHTS = [30, 15, 12, 10, 6, 3, 6, 8, 2, 2, 3, 6, 2, 1, 0, 1, 1, 1]
UNSUBSCRIBED = {"Junk", "Lists/rust-lang"}
KEYWORDS = ["$Forwarded", "NonJunk", "$MDNSent", "$Label1", "Projekt-2024", "Junk"]
WORDS = ("the of and to in is that for it was on are as with his they at be this from have or by one had not but what "
         "all were when we there can an your which their said if do will each about how up out them then she many some "
         "so these would other into has more her two like him see time could no make than first been its who now people "
         "meeting invoice quarterly Größe Straße résumé façade naïve coöperate Übung 予定 会議 смета договор price").split()
CHARSETS = ("utf-8", "utf-8", "latin-1", "us-ascii")


def to_wire(name):
    """Text to modified UTF-7 (RFC 3501 5.1.3)."""
    out, shifted = [], []

    def flush():
        if shifted:
            coded = base64.b64encode("".join(shifted).encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
            out.append("&" + coded.decode() + "-")
            shifted.clear()

    for char in name:
        if " " <= char <= "~":
            flush()
            out.append("&-" if char == "&" else char)
        else:
            shifted.append(char)
    flush()
    return "".join(out)


class Pool:
    """Text and base64 material, cut at line ends, so that a part of any size is a slice."""

    def __init__(self, seed):
        chance = random.Random(seed * 7919 + 1)
        self.text, self.ends = {}, {}
        for charset in set(CHARSETS):
            lines, size = [], 0
            while size < 1 << 20:
                words, length, want = [], 0, chance.choice((0, 30, 60, 66, 70, 72))
                while length < want:
                    words.append(chance.choice(WORDS))
                    length += len(words[-1]) + 1
                lines.append(" ".join(words).encode(charset, "ignore") + b"\n")
                size += len(lines[-1])
            ends = [0]
            for line in lines:
                ends.append(ends[-1] + len(line))
            self.text[charset], self.ends[charset] = b"".join(lines), ends
        coded = base64.b64encode(chance.randbytes(57 * 262144))
        self.coded = b"\n".join(coded[i:i + 76] for i in range(0, len(coded), 76)) + b"\n"

    def prose(self, chance, size, charset):
        ends, text = self.ends[charset], self.text[charset]
        first, parts = chance.randrange(len(ends) // 2), []
        while size > 0:
            last = min(bisect.bisect_left(ends, ends[first] + size), len(ends) - 1)
            if last == first:
                break
            parts.append(text[ends[first]:ends[last]])
            size -= ends[last] - ends[first]
            first = 0
        return b"".join(parts)

    def blob(self, chance, size):
        lines, total = max(1, size // 77), len(self.coded) // 77
        first = chance.randrange(total)
        if first + lines <= total:
            return self.coded[first * 77:(first + lines) * 77]
        return self.coded[first * 77:] + self.coded[:(lines - (total - first)) * 77]


def size_of(chance, profile):
    if profile == "small":
        return min(32768, max(900, int(chance.lognormvariate(8.3, 0.45))))
    if profile == "large":
        return 10 << 20
    if chance.random() < 0.004:
        return chance.randrange(1 << 20, 10 << 20)
    return min(10 << 20, max(700, int(chance.lognormvariate(9.42, 1.35))))


def headers(chance, user, n, when):
    """Header lines and the Message-ID, which not every message shows."""
    mid = f"<{chance.getrandbits(64):016x}.{n}@mail{chance.randrange(9)}.example.org>"
    subject = " ".join(chance.choice(WORDS) for _ in range(chance.randrange(2, 9)))
    if not subject.isascii():
        subject = "=?UTF-8?B?" + base64.b64encode(subject.encode()).decode() + "?="
    sent = time.gmtime(when - chance.randrange(0, 86400 * 3))
    date = time.strftime("%a, %d %b %Y %H:%M:%S", sent) + chance.choice((" +0000", " +0100", " -0730", " +0545"))
    lines = [f"Return-Path: <sender{chance.randrange(500)}@example.net>"]
    for hop in range(chance.randrange(1, 4)):
        lines.append(f"Received: from mx{hop}.example.net (mx{hop}.example.net [192.0.2.{chance.randrange(1, 255)}])\n"
                     f"\tby mail.example.org (Postfix) with ESMTPS id {chance.getrandbits(40):010X}\n"
                     f"\tfor <{user}@example.org>; {date}")
    sender = chance.randrange(500)
    lines += [f'From: "Sender {sender}" <sender{sender}@example.net>', f"To: {user}@example.org",
              f"Subject: {subject}", f"Date: {date}"]
    if chance.random() >= 0.01:
        lines.append(f"Message-ID: {mid}")
    if chance.random() < 0.3:
        lines.append(f"References: <{chance.getrandbits(64):016x}@example.net>\n <{chance.getrandbits(64):016x}@example.net>")
    if chance.random() < 0.02:
        lines.append("X-Raw-8bit: Grüße ohne Kodierung")
    return lines + ["MIME-Version: 1.0"], mid


def message(chance, pool, profile, user, n, when):
    size = size_of(chance, profile)
    lines, mid = headers(chance, user, n, when)
    left = max(200, size - sum(map(len, lines)) - 250)
    charset = chance.choice(CHARSETS)
    plain = f"Content-Type: text/plain; charset={charset}"
    if left < 9000 or chance.random() < 0.3 and left < 60000:
        lines += [plain, "Content-Transfer-Encoding: 8bit", ""]
        body = pool.prose(chance, left, charset)
    else:
        mark = f"=_{chance.getrandbits(64):016x}"
        lines += [f'Content-Type: multipart/mixed; boundary="{mark}"', ""]
        text = min(left // 3, 20000)
        body = (f"--{mark}\n{plain}\nContent-Transfer-Encoding: 8bit\n\n".encode() + pool.prose(chance, text, charset)
                + f'--{mark}\nContent-Type: application/pdf; name="Anlage {n}.pdf"\nContent-Transfer-Encoding: base64\n'
                  f'Content-Disposition: attachment; filename="Anlage {n}.pdf"\n\n'.encode()
                + pool.blob(chance, left - text) + f"--{mark}--\n".encode())
    head = ("\n".join(lines) + "\n").encode()
    out, odd = head + body, chance.random()
    if odd < 0.05:
        out = out.replace(b"\n", b"\r\n")
    elif odd < 0.06:
        out = out[:-1]
    elif odd < 0.065:
        out += b"x" * 20000 + "ü".encode() * 3000 + b"\n"
    elif odd < 0.07:
        out += b"a bare CR \r in the middle\nFrom here an mbox-like line\n.\n..\n"
    elif odd < 0.073:
        out = head
    return out, mid


def flags(chance, folder):
    """The letters of a Maildir name: system flags, then keywords."""
    out = "D" if folder == "Drafts" else ""
    for letter, share in (("F", 0.05), ("R", 0.15), ("S", 0.75), ("T", 0.02 if folder == "Trash" else 0.003)):
        out += letter if chance.random() < share else ""
    return out + "".join(chr(97 + i) for i in range(len(KEYWORDS)) if chance.random() < 0.03)


def folders_of(profile, messages, count):
    if profile == "large":
        return [("INBOX", messages - messages // 2), ("Archive/2023", messages // 2)]
    names = FOLDERS[:count]
    weights = [1] * count if profile == "small" else WEIGHTS[:count]
    shares = [messages * weight // sum(weights) for weight in weights]
    shares[0] += messages - sum(shares)
    return list(zip(names, shares))


def write_user(server, pool, user, load):
    """One mailbox."""
    profile, seed = load["profile"], load["seed"]
    chance = random.Random(f"{seed}/{user}/{profile}")
    home = os.path.join(server.mail, user)
    maildir = os.path.join(home, "Maildir")
    shutil.rmtree(home, ignore_errors=True)
    made, earlier = 0, []
    folders = folders_of(profile, load["messages"], load["folders"])
    for name, count in folders:
        folder = maildir if name == "INBOX" else os.path.join(maildir, "." + to_wire(name).replace("/", "."))
        for part in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(folder, part))
        if name != "INBOX":
            open(os.path.join(folder, "maildirfolder"), "w").close()
        with open(os.path.join(folder, "dovecot-keywords"), "w") as words:
            words.writelines(f"{i} {word}\n" for i, word in enumerate(KEYWORDS))
        for _ in range(count):
            when = chance.randrange(1041379200, 1735689600)
            if chance.random() < 0.002:
                when = chance.randrange(86400 * 400, 900000000)
            body, mid = message(chance, pool, profile, user, made, when)
            again = chance.random()
            if earlier and again < 0.003:
                body = chance.choice(earlier)[0]
            elif earlier and again < 0.013:
                body = body.replace(mid.encode(), chance.choice(earlier)[1].encode(), 1)
            elif len(body) < 20000 and len(earlier) < 500:
                earlier.append((body, mid))
            wire = len(body) + body.count(b"\n") - body.count(b"\r\n")
            made += 1
            file = f"{1000000000 + made}.M{made}P1.bench,S={len(body)},W={wire}:2,{flags(chance, name)}"
            path = os.path.join(folder, "cur", file)
            with open(path, "wb") as out:
                out.write(body)
            os.utime(path, (when, when))
    with open(os.path.join(maildir, "subscriptions"), "w") as out:
        out.write("V\t2\n\n")
        out.writelines(to_wire(n).replace("/", "\t") + "\n" for n, _ in folders if n not in UNSUBSCRIBED)
    for folder, _, files in os.walk(home):
        os.chown(folder, server.uid, server.gid)
        for file in files:
            os.chown(os.path.join(folder, file), server.uid, server.gid)


def write(server, load):
    """The mailboxes of a workload at a server, opened once so that the first program measured does not pay for the
    indexes."""
    pool = Pool(load["seed"])
    for user in load["users"]:
        write_user(server, pool, user, load)
        status = ["doveadm", "-c", server.conf, "mailbox", "status", "-u", user, "messages", "*"]
        subprocess.run(status, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
