"""A day in a mailbox: some new messages and some changed flags, spread over its folders."""
import imaplib
import random
import re

LISTED = re.compile(rb'(\([^)]*\)) (?:"."|NIL) (.*)$')


def new_message(chance):
    size, n = max(500, int(chance.lognormvariate(8.3, 0.5))), chance.getrandbits(64)
    body = (f"From: new@example.net\r\nSubject: new {n:x}\r\nMessage-ID: <new{n:016x}@example.org>\r\n"
            "Date: Mon, 3 Feb 2025 10:00:00 +0100\r\n\r\n").encode()
    while len(body) < size:
        body += b"A new line of new text, number %d, with no other meaning at all.\r\n" % len(body)
    return body


def mutate(port, user, percent, seed):
    """Adds that many percent of new messages and changes a flag of as many others."""
    chance = random.Random(seed)
    imap = imaplib.IMAP4("127.0.0.1", port)
    imap.login(user, "secret")
    for row in sorted(imap.list()[1], key=repr):
        if isinstance(row, tuple):
            head, name = row[0], b'"' + row[1].replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
        else:
            head, name = LISTED.match(row).groups()
        if b"\\noselect" in head.lower() or b"\\nonexistent" in head.lower():
            continue
        count = int(imap.select(name.decode())[1][0])
        some = round(count * percent / 100)
        for _ in range(some):
            flags = chance.choice(("", "(\\Seen)", "(\\Seen \\Flagged NonJunk)"))
            when = imaplib.Time2Internaldate(1738573200 + chance.randrange(86400 * 30))
            imap.append(name.decode(), flags, when, new_message(chance))
        for n in chance.sample(range(1, count + 1), some):
            how = chance.choice(("+FLAGS.SILENT", "-FLAGS.SILENT"))
            imap.store(str(n), how, chance.choice(("(\\Seen)", "(\\Flagged)", "(\\Answered)")))
    imap.logout()
