#!/usr/bin/env python3
"""Two servers with one folder each: a source of as many messages as asked for, made up while they are read, and an empty
target that checks that what it is sent is the next one, and forgets it.

  endless.py MESSAGES

Prints both ports. At the end of its input it prints how many messages the target was sent and how many were wrong.
"""
import re
import socketserver
import sys
import threading

CAPABILITIES = b"IMAP4rev1 LITERAL+ UIDPLUS MULTIAPPEND SASL-IR AUTH=PLAIN"
LITERAL = re.compile(rb"\{(\d+)\+?\}\r\n$")
HEAD = b' FLAGS (\\Seen) INTERNALDATE "05-Jan-2020 03:04:05 +0000"'


def body(n):
    return b"Message-ID: <%d@endless>\r\nSubject: number %d\r\n\r\n%0120d\r\n" % (n, n, n)


class Session(socketserver.StreamRequestHandler):
    rbufsize = wbufsize = 1 << 18
    disable_nagle_algorithm = True

    def handle(self):
        try:
            self.say(b"* OK [CAPABILITY %s] endless" % CAPABILITIES)
            self.wfile.flush()
            while self.command():
                pass
        except OSError:
            pass  # a client that goes away ends the session, whatever it was at

    def say(self, line):
        self.wfile.write(line + b"\r\n")

    def command(self):
        line = self.rfile.readline()
        if not line:
            return False
        tag, _, rest = line.rstrip().partition(b" ")
        verb = rest.split(b" ")[0].upper()
        n, ok = self.server.messages, b"done"
        if verb == b"CAPABILITY":
            self.say(b"* CAPABILITY " + CAPABILITIES)
        elif verb in (b"LIST", b"LSUB"):
            self.say(b'* %s () "/" INBOX' % verb)
        elif verb == b"STATUS":
            self.say(b"* STATUS INBOX (MESSAGES %d UIDNEXT %d UIDVALIDITY 7)" % (n, n + 1))
        elif verb in (b"SELECT", b"EXAMINE"):
            self.say(b"* FLAGS (\\Seen)\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] flags\r\n* %d EXISTS\r\n"
                     b"* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT %d] x" % (n, n + 1))
        elif verb == b"UID":
            self.fetch(rest, n)
        elif verb == b"APPEND":
            ok = self.append(line)
        self.say(tag + b" OK " + ok)
        self.wfile.flush()
        return verb != b"LOGOUT"

    def fetch(self, command, last):
        whole, sizes = b"BODY" in command, b"RFC822.SIZE" in command
        for part in command.split(b" ")[2].split(b","):
            low, _, high = part.partition(b":")
            high = last if high == b"*" else int(high or low)
            for n in range(int(low) if low != b"*" else last, min(high, last) + 1):
                text = body(n)
                items = b"* %d FETCH (UID %d%s" % (n, n, HEAD)
                if sizes:
                    items += b" RFC822.SIZE %d" % len(text)
                if whole:
                    items += b" BODY[] {%d}\r\n%s" % (len(text), text)
                self.wfile.write(items + b")\r\n")

    def append(self, line):
        server, first = self.server, self.server.messages + 1
        while found := LITERAL.search(line):
            server.messages += 1
            if self.rfile.read(int(found[1])) != body(server.messages):
                server.wrong += 1
            line = self.rfile.readline()
        return b"[APPENDUID 7 %d:%d] stored" % (first, server.messages)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True

    def __init__(self, messages):
        super().__init__(("127.0.0.1", 0), Session)
        self.messages, self.wrong = messages, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()


def main():
    source, target = Server(int(sys.argv[1])), Server(0)
    print(source.server_address[1], target.server_address[1], flush=True)
    sys.stdin.read()
    print(target.messages, target.wrong, flush=True)


if __name__ == "__main__":
    main()
