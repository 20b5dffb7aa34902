"""Two private Dovecot servers, "source" and "target", on free ports of the loopback interface.

Any user name logs in with the password "secret". Nothing outside the pair's folder is read or written.
"""
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

DOVECOT = shutil.which("dovecot") or "/usr/sbin/dovecot"
TICKS = os.sysconf("SC_CLK_TCK")

CONF = """\
base_dir = {dir}/run
state_dir = {dir}/run
instance_name = rehome-bench-{name}
log_path = {dir}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_cache_size = 1M
auth_failure_delay = 0
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={dir}/mail/%u
}}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
mail_fsync = {fsync}
mail_max_userip_connections = 1000
mailbox_list_index = yes
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    special_use = \\Drafts
  }}
  mailbox Junk {{
    special_use = \\Junk
  }}
  mailbox Sent {{
    special_use = \\Sent
  }}
  mailbox Trash {{
    special_use = \\Trash
  }}
  mailbox Archive {{
    special_use = \\Archive
  }}
}}
default_process_limit = 1000
default_client_limit = 5000
service imap-login {{
  {chroot}
  service_count = 0
  process_min_avail = 2
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  {chroot}
}}
service imap {{
  process_limit = 1000
}}
{extra}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, folder, name, fsync, capabilities=()):
        self.dir = os.path.join(folder, name)
        self.port = free_port()
        self.mail = os.path.join(self.dir, "mail")
        self.conf = os.path.join(self.dir, "dovecot.conf")
        for part in ("run", "mail"):
            os.makedirs(os.path.join(self.dir, part), exist_ok=True)
        if os.getuid() == 0:
            # Mail processes do not run as root; Dovecot's packages bring this user.
            self.uid, self.gid = pwd.getpwnam("mail").pw_uid, grp.getgrnam("mail").gr_gid
            extra, chroot = "", ""
        else:
            self.uid, self.gid = os.getuid(), os.getgid()
            user, group = pwd.getpwuid(self.uid).pw_name, grp.getgrgid(self.gid).gr_name
            extra = f"default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {user}"
            chroot = "chroot ="
        os.chown(self.mail, self.uid, self.gid)
        self.settings = {
            "dir": self.dir, "name": name, "port": self.port, "fsync": fsync, "chroot": chroot,
            "user": self.uid, "group": self.gid, "extra": extra,
        }
        if capabilities:
            self.settings["extra"] += f"\nprotocol imap {{\n  imap_capability = {' '.join(capabilities)}\n}}"
        self.start()

    def start(self):
        with open(self.conf, "w") as f:
            f.write(CONF.format(**self.settings))
        # A daemon that has a pipe of ours holds us for ever: its output goes to a file.
        with open(os.path.join(self.dir, "start.log"), "wb") as log:
            done = subprocess.run([DOVECOT, "-c", self.conf], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                with open(os.path.join(self.dir, "run", "master.pid")) as f:
                    self.pid = int(f.read())
                return
            except (OSError, ValueError):
                time.sleep(0.02)
        raise SystemExit(f"Dovecot does not start (exit {done.returncode}): see {self.dir}/start.log")

    def stop(self):
        try:
            os.kill(self.pid, signal.SIGTERM)
            for _ in range(200):
                os.kill(self.pid, 0)
                time.sleep(0.02)
        except ProcessLookupError:
            pass

    def capabilities(self):
        """What it offers once somebody is logged in."""
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            f = s.makefile("rb")
            f.readline()
            s.sendall(b'a LOGIN "nobody" secret\r\nb CAPABILITY\r\nc LOGOUT\r\n')
            words = []
            for line in f:
                if line.startswith(b"* CAPABILITY "):
                    words = line.decode().split()[2:]
                if line.startswith(b"c "):
                    break
        shutil.rmtree(os.path.join(self.mail, "nobody"), ignore_errors=True)
        return words

    def cpu(self):
        """Seconds of processor time of the master, its children, and those it has reaped."""
        parent, used = {}, {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", "rb") as f:
                    text = f.read()
            except OSError:
                continue
            fields = text[text.rindex(b")") + 2:].split()
            parent[int(pid)], used[int(pid)] = int(fields[1]), sum(map(int, fields[11:15]))
        total = 0
        for pid in used:
            at = pid
            while at in parent and at != self.pid:
                at = parent[at]
            if at == self.pid:
                total += used[pid]
        return total / TICKS


class Pair:
    """A source and a target."""

    def __init__(self, folder, fsync="never", without=()):
        self.dir = folder
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        self.source = Server(folder, "source", fsync)
        try:
            # Both are the same software, so the target's offer is the source's without what it should not have.
            kept = [c for c in self.source.capabilities() if c.upper() not in without] if without else []
            self.target = Server(folder, "target", fsync, kept)
            left = set(without).intersection(c.upper() for c in self.target.capabilities())
            if left:
                self.target.stop()
                raise SystemExit(f"Dovecot still offers {left}")
        except BaseException:
            self.source.stop()
            raise

    def stop(self):
        self.source.stop()
        self.target.stop()

    def fresh(self):
        """An empty target, and a source that has to open its messages again (its indexes and UIDs stay)."""
        for entry in os.scandir(self.target.mail):
            shutil.rmtree(entry.path)
        for folder, _, files in os.walk(self.source.mail):
            if "dovecot.index.cache" in files:
                os.unlink(os.path.join(folder, "dovecot.index.cache"))
