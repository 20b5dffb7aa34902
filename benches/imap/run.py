#!/usr/bin/env python3
"""Copies the same mailboxes with rehome, mbsync, doveadm and a raw ceiling, on the same private servers.

  run.py REHOME [--rounds N] [--quick] [--only ROW[,ROW...]] [--write FILE] [--ram DIR] [--disk DIR]

Rounds interleave the programs. Prints a table, and with --write puts it between the markers of FILE. Exits with 1 when a
message, flag, keyword, date, folder or subscription that rehome copied is not as it was.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import corpus
import mutate
import peers
import report
from servers import Pair, free_port

CHECK = os.path.join(HERE, "..", "..", "tests", "check_mail.py")

LOADS = {
    "small": {"users": ["s001"], "messages": 20_000, "profile": "small", "folders": 10, "seed": 11},
    "office": {"users": [f"o{n:03}@bench.example" for n in range(1, 21)], "messages": 500, "profile": "office",
               "folders": 18, "seed": 12},
    "large": {"users": ["l001"], "messages": 40, "profile": "large", "folders": 2, "seed": 13},
    "few": {"users": ["f001"], "messages": 2_000, "profile": "small", "folders": 10, "seed": 14},
}
QUICK = {"small": 400, "office": 20, "large": 4, "few": 200}

# Row: corpus, servers, programs. `then` are rows measured on the same state, without and with changes at the source.
ROWS = {
    "w1": {"load": "small", "pair": "ram", "run": ["mbsync", "doveadm", "raw:1:multi", "rehome"], "then": ["w4", "w5"]},
    "w2": {"load": "office", "pair": "ram", "run": ["mbsync", "doveadm", "raw:2:multi", "rehome"]},
    "w3": {"load": "large", "pair": "ram", "run": ["mbsync", "doveadm", "raw:1:multi", "rehome"]},
    "w6": {"load": "few", "pair": "ram", "run": ["mbsync", "raw:4:multi", "rehome"], "then": ["w6n"], "rtt": 40},
    "single": {"load": "few", "pair": "single", "run": ["mbsync", "raw:1:pipe", "rehome"]},
    "disk": {"load": "few", "pair": "disk", "run": ["mbsync", "raw:1:multi", "rehome"]},
    "memory": {},
}
# One folder of so many messages, between servers that make them up.
FOLDERS, QUICK_FOLDERS = (10_000, 100_000, 1_000_000), (500, 5_000)


class Peak(threading.Thread):
    """The largest resident size of a process or one that it started. (What wait4 tells counts this program's own size
    in, from before the exec.)"""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.mebibytes, self.over = pid, 0.0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.02):
            self.look(self.pid)

    def look(self, pid):
        try:
            with open(f"/proc/{pid}/status") as f:
                high = [line for line in f if line.startswith("VmHWM")]
            with open(f"/proc/{pid}/task/{pid}/children") as f:
                children = f.read().split()
        except OSError:
            return
        if high:
            self.mebibytes = max(self.mebibytes, int(high[0].split()[1]) / 1024)
        for child in children:
            self.look(child)

    def stop(self):
        self.over.set()
        self.join()


class Bench:
    def __init__(self, options):
        self.options, self.pairs, self.results, self.written = options, {}, [], set()
        self.folders = {
            "ram": tempfile.mkdtemp(prefix="rehome-bench-", dir=options.ram),
            "disk": tempfile.mkdtemp(prefix="rehome-bench-", dir=options.disk),
        }
        for folder in self.folders.values():
            os.chmod(folder, 0o755)

    def close(self):
        for pair in self.pairs.values():
            pair.stop()
        for folder in self.folders.values():
            shutil.rmtree(folder, ignore_errors=True)

    def pair(self, kind):
        if kind not in self.pairs:
            base = self.folders["disk" if kind == "disk" else "ram"]
            # `optimized` is Dovecot's default: what has to be on the disk before a client is told so, is.
            self.pairs[kind] = Pair(
                os.path.join(base, kind),
                fsync="optimized" if kind == "disk" else "never",
                without=("MULTIAPPEND",) if kind == "single" else (),
            )
        return self.pairs[kind]

    def prepare(self, row):
        """The corpus of a row at its source, once."""
        name, kind = row["load"], row["pair"]
        load = dict(LOADS[name])
        if self.options.quick:
            load["messages"] = QUICK[name]
            load["users"] = load["users"][:4]
        if (name, kind) not in self.written:
            corpus.write(self.pair(kind).source, load)
            self.written.add((name, kind))
        return load

    def row(self, name):
        row = ROWS[name]
        load, pair = self.prepare(row), self.pair(row["pair"])
        ports, proxy = [pair.source.port, pair.target.port], None
        if "rtt" in row:
            far = [free_port(), free_port()]
            pairs = [f"{near}:{port}" for near, port in zip(far, ports)]
            command = [sys.executable, os.path.join(HERE, "proxy.py"), str(row["rtt"]), *pairs]
            proxy = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            proxy.stdout.readline()
            ports = far
        try:
            for _ in range(self.options.rounds):
                for program in row["run"]:
                    self.turn(name, row, load, pair, ports, program)
        finally:
            if proxy:
                proxy.terminate()
                proxy.wait()

    def turn(self, name, row, load, pair, ports, program):
        pair.fresh()
        base = self.folders["disk" if row["pair"] == "disk" else "ram"]
        state = os.path.join(base, "state")
        shutil.rmtree(state, ignore_errors=True)
        os.mkdir(state)
        users = load["users"]
        command = peers.command(program, self.options.rehome, pair, ports, users, state)
        self.measure(name, program, command, pair, state)
        self.check(name, program, pair, users)
        if program in ("doveadm",) or program.startswith("raw"):
            return
        for then in row.get("then", []):
            if then == "w5":
                self.changed(then, program, command, pair, users[0], state)
            else:
                self.measure(then, program, command, pair, state)
                self.check(then, program, pair, users)

    def memory(self):
        """What a folder costs in memory, copied once and once more with nothing to do."""
        for messages in QUICK_FOLDERS if self.options.quick else FOLDERS:
            state = os.path.join(self.folders["ram"], "state")
            shutil.rmtree(state, ignore_errors=True)
            os.mkdir(state)
            servers = subprocess.Popen([sys.executable, os.path.join(HERE, "endless.py"), str(messages)],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            ports = servers.stdout.readline().split()
            command = peers.rehome(self.options.rehome, [int(port) for port in ports], ["ann"], state)
            for _ in range(2):
                self.measure("memory", "rehome", command, None, state, messages)
            stored, wrong = map(int, servers.communicate()[0].split())
            found = {"messages not as they were": wrong + abs(messages - stored)} if wrong or messages != stored else {}
            self.results.append({"row": "memory", "program": "rehome", "messages": messages, "differences": found})

    def changed(self, name, program, command, pair, user, state):
        """Once more after changes at the source, which are taken back."""
        home, kept = os.path.join(pair.source.mail, user), os.path.join(pair.dir, "kept")
        shutil.rmtree(kept, ignore_errors=True)
        subprocess.run(["cp", "-a", home, kept], check=True)
        mutate.mutate(pair.source.port, user, percent=1, seed=5)
        self.measure(name, program, command, pair, state)
        self.check(name, program, pair, [user])
        shutil.rmtree(home)
        os.rename(kept, home)

    def measure(self, row, program, command, pair, state, messages=None):
        def servers_cpu():
            return pair.source.cpu() + pair.target.cpu() if pair else 0.0

        before = servers_cpu()
        with open(os.path.join(state, "log"), "ab") as log:
            begun = time.monotonic()
            child = subprocess.Popen(command["argv"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                     cwd=state, env={**os.environ, **command.get("env", {})})
            peak = Peak(child.pid)
            out = child.stdout.read()
            _, status, used = os.wait4(child.pid, 0)
            wall = time.monotonic() - begun
            peak.stop()
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode == command.get("success", 0):
                child.returncode = 0
            log.write(out)
        told = json.loads(out) if program.startswith("raw") and child.returncode == 0 else {}
        time.sleep(0.05)
        servers = servers_cpu() - before
        result = {
            "row": row, "program": program, "exit": child.returncode, "wall": told.get("wall", wall),
            "client": told.get("cpu", used.ru_utime + used.ru_stime), "servers": servers,
            "peak": peak.mebibytes, **({"messages": messages} if messages else {}),
        }
        self.results.append(result)
        print(f"{row:7} {program:12} {result['wall']:8.2f} s, CPU {result['client']:.2f} + {servers:.2f} s, "
              f"{peak.mebibytes:.0f} MiB, exit {child.returncode}", file=sys.stderr, flush=True)
        if child.returncode and program == "rehome":
            with open(os.path.join(state, "log"), errors="replace") as log:
                sys.stderr.write(log.read()[-4000:])

    def check(self, row, program, pair, users):
        """Compares every message of both sides with a program that shares nothing with rehome."""
        environment = {**os.environ, "CHECK_SOURCE_PASSWORD": "secret", "CHECK_TARGET_PASSWORD": "secret"}
        found = {}
        for user in users:
            sides = [("--source", pair.source), ("--target", pair.target)]
            places = [word for side, at in sides for word in (side, "127.0.0.1", str(at.port), user)]
            ran = subprocess.run([sys.executable, CHECK, "compare", *places, "--json"], env=environment,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            if ran.returncode not in (0, 1):
                found["unreadable mailbox"] = found.get("unreadable mailbox", 0) + 1
                continue
            for kind, n in json.loads(ran.stdout)["differences"].items():
                found[kind] = found.get(kind, 0) + n
        self.results.append({"row": row, "program": program, "differences": found})


def roomy(folder, octets):
    """A folder that can be written and has room; None otherwise."""
    try:
        return folder if os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > octets else None
    except OSError:
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rehome", type=os.path.abspath)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--quick", action="store_true", help="one round of small mailboxes, to try the script itself")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(ROWS))
    parser.add_argument("--write", metavar="FILE")
    parser.add_argument("--ram", default=roomy("/dev/shm", 5 << 30) or tempfile.gettempdir())
    parser.add_argument("--disk", default=roomy("/var/tmp", 1 << 30) or tempfile.gettempdir())
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    if unknown := set(options.only) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    bench = Bench(options)
    try:
        for name in options.only:
            bench.memory() if name == "memory" else bench.row(name)
            if options.write:
                # After each row: a run that is cut short has measured something.
                report.put(options.write, report.markdown(bench.results, options))
    finally:
        bench.close()
    print(report.markdown(bench.results, options))
    return 0 if report.faithful(bench.results) else 1


if __name__ == "__main__":
    sys.exit(main())
