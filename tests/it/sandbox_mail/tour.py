"""A tour through an IMAP server with python's own client. Every step says what it expects.

tour.py PORT USER; the password is in TOUR_PASSWORD.
"""
import imaplib
import os
import re
import sys

port, user, password = int(sys.argv[1]), sys.argv[2], os.environ["TOUR_PASSWORD"]
BODY = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <one@example.org>\r\n\r\nbody \xff\xfe\r\n"
DATE = '"17-Jul-1996 02:44:25 -0700"'
NAME = '"Projekte/Gr&APYA3w-e &- Ma&AN8-e"'


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def refused(answer):
    assert answer[0] == "NO", answer
    return b" ".join(answer[1])


def session():
    imap = imaplib.IMAP4("127.0.0.1", port)
    imap._encoding = "utf-8"
    imap.login(user, password)
    return imap


def authentication():
    imap = imaplib.IMAP4("127.0.0.1", port)
    try:
        imap.login(user, "not it")
        raise AssertionError("a wrong password was accepted")
    except imaplib.IMAP4.error as error:
        assert "AUTHENTICATIONFAILED" in str(error), error
    ok(imap.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode()))
    ok(imap.logout() and ("OK", []))
    imap = imaplib.IMAP4("127.0.0.1", port)
    try:
        imap.authenticate("PLAIN", lambda _: f"somebody@example.org\0{user}\0{password}".encode())
        raise AssertionError("somebody else could be impersonated")
    except imaplib.IMAP4.error:
        pass


def folders(imap):
    offered = ok(imap.capability())[0].decode().split()
    for word in ("LITERAL+", "UIDPLUS", "MULTIAPPEND", "SPECIAL-USE", "LIST-STATUS", "CONDSTORE", "NAMESPACE"):
        assert word in offered, (word, offered)
    assert b'(("" "/"))' in ok(imap.namespace())[0]
    ok(imap.create(NAME))
    assert b"ALREADYEXISTS" in refused(imap.create(NAME))
    rows = [row for row in ok(imap.list())]
    parent = [row for row in rows if row.endswith((b'"/" Projekte', b'"/" "Projekte"'))]
    assert len(parent) == 1 and b"\\Noselect" in parent[0] and b"\\HasChildren" in parent[0], parent
    assert any(b"\\Sent" in row for row in rows), rows
    assert not any(b"Ma&AN8-e" in row for row in ok(imap.list('""', '"%"')))
    ok(imap.subscribe(NAME))
    assert any(row and b"Ma&AN8-e" in row for row in ok(imap.lsub()))
    ok(imap.unsubscribe(NAME))
    assert not any(row and b"Ma&AN8-e" in row for row in ok(imap.lsub()))
    ok(imap.create("earlier"))
    ok(imap.rename("earlier", "later"))
    assert refused(imap.status("earlier", "(MESSAGES)"))
    ok(imap.delete("later"))
    assert refused(imap.delete("later"))
    assert refused(imap.select("nowhere"))


def messages(imap):
    stored = ok(imap.append(NAME, r"(\Seen $Forwarded \Deleted)", DATE, BODY))[0]
    validity, uid = re.search(rb"APPENDUID (\d+) (\d+)", stored).groups()
    assert b"TRYCREATE" in refused(imap.append("nowhere", None, None, BODY))
    status = ok(imap.status(NAME, "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)"))[0]
    assert b"MESSAGES 1" in status and b"UNSEEN 0" in status and b"UIDVALIDITY " + validity in status, status
    assert ok(imap.select(NAME)) == [b"1"]
    (head, body), tail = ok(imap.uid("fetch", uid, "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"))
    assert body == BODY, body
    for part in (b"UID " + uid, b"\\Seen", b"\\Deleted", b"$Forwarded", b"RFC822.SIZE %d" % len(BODY)):
        assert part in head + tail, (part, head, tail)
    told = imaplib.Internaldate2tuple(head + tail)
    assert told == imaplib.Internaldate2tuple(b'INTERNALDATE ' + DATE.encode()), told
    fields = ok(imap.fetch("1", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"))[0][1]
    assert fields == b"Message-ID: <one@example.org>\r\n\r\n", fields
    assert ok(imap.fetch("1", "(BODY.PEEK[TEXT]<1.3>)"))[0][1] == b"ody"

    ok(imap.uid("store", uid, "-FLAGS.SILENT", r"(\Deleted)"))
    ok(imap.uid("store", uid, "+FLAGS", r"(\Flagged NonJunk)"))
    assert ok(imap.uid("search", None, "FLAGGED", "KEYWORD", "NonJunk", "UNDELETED")) == [uid]
    assert ok(imap.uid("search", None, "HEADER", "Message-ID", "<one@example.org>")) == [uid]
    assert ok(imap.search(None, "UNSEEN")) == [b""]
    ok(imap.uid("copy", uid, "INBOX"))
    code = imap.response("COPYUID")[1][0] or b""
    assert code.split()[1:2] in ([uid], []), code

    # What a session does not know yet, it is told.
    other = session()
    assert ok(other.select(NAME)) == [b"1"]
    ok(imap.append(NAME, None, None, b"\r\n"))
    ok(imap.noop())
    ok(other.noop())
    assert other.response("EXISTS")[1][-1] == b"2"
    ok(other.uid("store", uid, "+FLAGS", r"(\Deleted)"))
    ok(other.uid("expunge", uid))
    ok(imap.noop())
    assert imap.response("EXPUNGE")[1] == [b"1"]
    assert ok(imap.uid("search", None, "ALL")) == [b"%d" % (int(uid) + 1)]
    other.logout()

    # A folder that is opened read-only stays as it is.
    assert ok(imap.select(NAME, readonly=True)) == [b"1"]
    ok(imap.fetch("1", "(BODY[])"))
    assert b"\\Seen" not in ok(imap.fetch("1", "(FLAGS)"))[0]
    ok(imap.unselect())


def several_at_once(imap):
    """MULTIAPPEND with literals that do not wait."""
    parts = [rb"(\Seen) {3+}", b"a\r\n", rb'() "01-Jan-2020 00:00:00 +0000" {3+}', b"b\r\n"]
    line = b"m1 APPEND INBOX " + parts[0] + b"\r\n" + parts[1] + b" " + parts[2] + b"\r\n" + parts[3] + b"\r\n"
    before = int(re.search(rb"UIDNEXT (\d+)", ok(imap.status("INBOX", "(UIDNEXT)"))[0]).group(1))
    imap.send(line)
    answer = imap.readline()
    while answer.startswith(b"*"):
        answer = imap.readline()
    assert re.match(rb"m1 OK \[APPENDUID \d+ %d:%d\]" % (before, before + 1), answer), answer


authentication()
tour = session()
folders(tour)
messages(tour)
several_at_once(tour)
tour.logout()
print("toured")
