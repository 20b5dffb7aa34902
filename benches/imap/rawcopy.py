#!/usr/bin/env python3
"""The ceiling: what the two servers can do when the client does next to nothing.

  rawcopy.py SOURCE_PORT TARGET_PORT CONNECTIONS MODE USER...

Streams every message from source to target, without a check and without any state, over that many pairs of
connections, one process each. MODE `multi`: MULTIAPPEND with LITERAL+, up to 100 messages or 4 MiB a command,
pipelined. MODE `pipe`: single APPENDs with LITERAL+, pipelined. Prints one JSON line; `wall` leaves out the making of
folders.
"""
import json
import multiprocessing
import os
import re
import resource
import socket
import sys
import threading
import time

LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
STATUS = re.compile(rb'\* STATUS (?:"((?:[^"\\]|\\.)*)"|(\S+)) \(MESSAGES (\d+)\)')
FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")
DATE = re.compile(rb'INTERNALDATE ("[^"]*")')
UNIT, BATCH, BATCH_OCTETS, WINDOW = 500, 100, 4 << 20, 64


class Conn:
    def __init__(self, port, user):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file, self.n, self.box = self.socket.makefile("rb", 1 << 20), 0, None
        self.file.readline()
        self.command(b'LOGIN "%s" secret' % user.encode())

    def send(self, line):
        self.n += 1
        self.socket.sendall(b"a%d " % self.n + line + b"\r\n")
        return b"a%d " % self.n

    def response(self):
        """A line, and the literals in it."""
        line, literals = self.file.readline(), []
        if not line:
            raise SystemExit("the connection was closed")
        found = LITERAL.search(line)
        while found:
            literals.append(self.file.read(int(found.group(1))))
            more = self.file.readline()
            line, found = line + more, LITERAL.search(more)
        return line, literals

    def wait(self, tag, refused=False):
        out = []
        while True:
            line, literals = self.response()
            if line.startswith(tag):
                if not line.startswith(tag + b"OK") and not refused:
                    raise SystemExit(line.decode())
                return out
            out.append((line, literals))

    def command(self, line, refused=False):
        return self.wait(self.send(line), refused)


def quoted(name):
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def units(port, users):
    """Pieces of folders, largest first, and the folders of each user."""
    out, boxes = [], {}
    for user in users:
        conn, boxes[user] = Conn(port, user), []
        for line, _ in conn.command(b'LIST "" "*" RETURN (STATUS (MESSAGES))'):
            if found := STATUS.match(line):
                inner, atom, count = found.groups()
                name = re.sub(rb"\\(.)", rb"\1", inner) if inner is not None else atom
                boxes[user].append(name)
                out += [(user, name, at, min(int(count), at + UNIT - 1)) for at in range(1, int(count) + 1, UNIT)]
        conn.send(b"LOGOUT")
    return sorted(out, key=lambda u: u[2] - u[3]), boxes


def messages(conn, unit):
    """The messages of a unit: flags, date, bytes."""
    _, box, low, high = unit
    if conn.box != box:
        conn.command(b"EXAMINE " + quoted(box))
        conn.box = box
    tag = conn.send(b"FETCH %d:%d (UID FLAGS INTERNALDATE BODY.PEEK[])" % (low, high))
    while True:
        line, literals = conn.response()
        if line.startswith(tag):
            return
        if literals:
            kept = b" ".join(f for f in FLAGS.search(line).group(1).split() if f.lower() != b"\\recent")
            yield kept, DATE.search(line).group(1), literals[0]


class Appender:
    """Sends without waiting for answers, as long as not too many are open."""

    def __init__(self, port, user, multi):
        self.conn, self.multi, self.box = Conn(port, user), multi, None
        self.open = self.octets = self.sent = self.done = self.size = 0
        self.buffer, self.moved = [], threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.conn.file:
            if line[:1] == b"a":
                if b" OK" not in line:
                    print(line, file=sys.stderr)
                    os._exit(1)
                with self.moved:
                    self.done += 1
                    self.moved.notify()

    def select(self, box):
        """An APPEND to the selected folder spares the server opening it each time."""
        self.end()
        self.box = box
        self.conn.n += 1
        self.add(b"a%d SELECT " % self.conn.n + quoted(box) + b"\r\n")
        self.step()

    def put(self, box, flags, date, body):
        if self.box != box:
            self.select(box)
        if self.open and (not self.multi or self.open >= BATCH or self.octets > BATCH_OCTETS):
            self.end()
        if not self.open:
            self.conn.n += 1
            self.add(b"a%d APPEND " % self.conn.n + quoted(box))
        self.add(b" (" + flags + b") " + date + b" {%d+}\r\n" % len(body))
        self.add(body)
        self.open, self.octets = self.open + 1, self.octets + len(body)
        if self.size > 262144:
            self.flush()

    def add(self, data):
        self.buffer.append(data)
        self.size += len(data)

    def flush(self):
        self.conn.socket.sendall(b"".join(self.buffer))
        self.buffer, self.size = [], 0

    def step(self):
        self.sent += 1
        if self.sent - self.done >= WINDOW:
            self.flush()
            with self.moved:
                self.moved.wait_for(lambda: self.sent - self.done < WINDOW)

    def end(self):
        if self.open:
            self.add(b"\r\n")
            self.open = self.octets = 0
            self.step()

    def close(self):
        self.end()
        self.flush()
        with self.moved:
            self.moved.wait_for(lambda: self.done >= self.sent)


def worker(ports, multi, work, counter, start):
    start.wait()
    sources, targets = {}, {}
    while True:
        with counter.get_lock():
            at = counter.value
            counter.value += 1
        if at >= len(work):
            break
        user, box = work[at][:2]
        if user not in sources:
            sources[user], targets[user] = Conn(ports[0], user), Appender(ports[1], user, multi)
        for flags, date, body in messages(sources[user], work[at]):
            targets[user].put(box, flags, date, body)
    for target in targets.values():
        target.close()


def main():
    ports, connections, mode, users = list(map(int, sys.argv[1:3])), int(sys.argv[3]), sys.argv[4], sys.argv[5:]
    work, boxes = units(ports[0], users)
    for user in users:
        conn = Conn(ports[1], user)
        for box in boxes[user]:
            if box.upper() != b"INBOX":
                conn.command(b"CREATE " + quoted(box), refused=True)
        conn.send(b"LOGOUT")
    counter, start = multiprocessing.Value("i", 0), multiprocessing.Event()
    arguments = (ports, mode == "multi", work, counter, start)
    processes = [multiprocessing.Process(target=worker, args=arguments) for _ in range(connections)]
    for process in processes:
        process.start()
    begun = time.time()
    start.set()
    for process in processes:
        process.join()
    wall = time.time() - begun
    if any(process.exitcode for process in processes):
        sys.exit("a worker failed")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"wall": round(wall, 3), "cpu": round(used.ru_utime + used.ru_stime, 2)}))


main()
