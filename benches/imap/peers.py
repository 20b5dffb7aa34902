"""How each program is asked to copy some users' mail from the source to the target."""
import os
import shlex
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

MBSYNC = """\
IMAPStore {side}
Host localhost
Port {port}
User {user}
Pass secret
SSLType None
AuthMechs LOGIN

"""

CHANNEL = """\
Channel copy
Far :src:
Near :dst:
Patterns *
Create Near
Sync Pull
Remove None
Expunge None
CopyArrivalDate yes
SyncState {folder}/
"""

SPEC = """\
version: 1
platforms:
  old: {{ kind: imap, imap: {{ host: 127.0.0.1, port: {0}, security: plain }} }}
  new: {{ kind: imap, imap: {{ host: 127.0.0.1, port: {1}, security: plain }} }}
domains:
  bench.example: {{ platform: new, migrate: {{ from: old }} }}
defaults:
  password: {{ env: BENCH_PASSWORD }}
  mail: {{ source_password: {{ env: BENCH_PASSWORD }} }}
accounts:
"""


# What rehome ends with when it stopped where it was told to.
STOPPED = 7


def sequence(commands):
    """One after another, in one shell."""
    return {"argv": ["sh", "-c", " && ".join(shlex.join(c) for c in commands)]}


def mbsync(ports, users, state):
    commands = []
    for user in users:
        folder, rc = os.path.join(state, user), os.path.join(state, f"{user}.rc")
        os.mkdir(folder)
        with open(rc, "w") as out:
            for side, port in zip(("src", "dst"), ports):
                out.write(MBSYNC.format(side=side, port=port, user=user))
            out.write(CHANNEL.format(folder=folder))
        commands.append(["mbsync", "-q", "-c", rc, "copy"])
    return sequence(commands)


def doveadm(pair, ports, users):
    """Reads the source over IMAP and writes the target's files itself: what a migration to a Dovecot of one's own does."""
    settings = {
        "imapc_host": "127.0.0.1", "imapc_port": ports[0], "imapc_password": "secret",
        "imapc_features": "rfc822.size fetch-headers", "mail_prefetch_count": 20, "mailbox_list_index": "no",
    }
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    command = ["doveadm", "-c", pair.target.conf, *options]
    return sequence([[*command, "-o", f"imapc_user={u}", "backup", "-R", "-u", u, "imapc:"] for u in users])


def rehome(binary, ports, users, state):
    env = {"BENCH_PASSWORD": "secret", "HOME": state}
    if len(users) == 1:
        urls = [f"imap://{users[0]}@127.0.0.1:{port}" for port in ports]
        argv = [binary, "copy", "--from", urls[0], "--to", urls[1], "--from-password", "env:BENCH_PASSWORD",
                "--to-password", "env:BENCH_PASSWORD", "--state", os.path.join(state, "rehome")]
    else:
        spec = os.path.join(state, "rehome.yaml")
        with open(spec, "w") as out:
            out.write(SPEC.format(*ports) + "".join(f"  {user}: {{}}\n" for user in users))
        # Up to the copies: the others prove nothing afterwards either.
        argv = [binary, "apply", spec, "--auto-approve", "--no-dns", "--until", "copy",
                "--parallel", str(2 * (os.cpu_count() or 2))]
        return {"argv": argv, "env": env, "success": STOPPED}
    return {"argv": argv, "env": env}


def command(program, binary, pair, ports, users, state):
    """The command line of a program, and what it needs in its environment."""
    if program == "mbsync":
        return mbsync(ports, users, state)
    if program == "doveadm":
        return doveadm(pair, ports, users)
    if program == "rehome":
        return rehome(binary, ports, users, state)
    _, connections, mode = program.split(":")
    return {"argv": [sys.executable, os.path.join(HERE, "rawcopy.py"), *map(str, ports), connections, mode, *users]}
