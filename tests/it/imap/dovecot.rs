//! A private Dovecot for tests: its own folder, its own ports, gone when the test ends.

use std::{
    fmt::Write as _,
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rehome::{
    imap::{Connector, Login},
    model::{ImapEndpoint, ImapSecurity, Secret},
};

/// A running server. Any user logs in with the password `secret` unless it is in `users`.
pub struct Dovecot {
    dir: tempfile::TempDir,
    pub port: u16,
    pub tls_port: u16,
}

/// What differs between servers.
#[derive(Default)]
pub struct Setup<'s> {
    /// Lines for the configuration's end.
    pub extra: &'s str,
    /// Names and passwords beside the rule that everybody's is `secret`.
    pub users: &'s [(&'s str, &'s str)],
    /// Certificate and key, PEM.
    pub tls: Option<(String, String)>,
}

impl Dovecot {
    /// Starts a server. `None` after a visible note when Dovecot is not installed.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub async fn start(setup: Setup<'_>) -> Option<Self> {
        let binary = ["/usr/sbin/dovecot", "/usr/local/sbin/dovecot"].into_iter().find(|p| Path::new(p).exists());
        let Some(binary) = binary else {
            assert!(std::env::var_os("REHOME_REQUIRE_SERVERS").is_none(), "dovecot is not installed");
            eprintln!("SKIPPED: dovecot is not installed");
            return None;
        };
        let mut server = Self { dir: tempfile::tempdir().unwrap(), port: 0, tls_port: 0 };
        server.furnish(&setup);
        // Somebody else may take a port between its choice and its use.
        let mut starts = 0;
        while let Err(said) = server.run(binary, &setup) {
            starts += 1;
            assert!(starts < 5, "{said}");
        }
        server.wait().await;
        Some(server)
    }

    /// Starts the server at ports that are free now, or says why it did not start.
    fn run(&mut self, binary: &str, setup: &Setup<'_>) -> Result<(), String> {
        (self.port, self.tls_port) = free_ports();
        let config = self.configure(setup);
        let said = self.dir.path().join("start.log");
        let log = File::create(&said).unwrap();
        // A daemon that keeps a pipe of ours would hold us for ever.
        let status = Command::new(binary)
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .status()
            .unwrap();
        if status.success() { Ok(()) } else { Err(fs::read_to_string(said).unwrap()) }
    }

    /// Puts everything but the configuration into the server's folder.
    fn furnish(&self, setup: &Setup<'_>) {
        let dir = self.dir.path();
        for sub in ["run", "mail"] {
            fs::create_dir(dir.join(sub)).unwrap();
        }
        if is_root() {
            // The mail process runs as another user and must get here.
            open_to_all(dir);
            let done = Command::new("chown").arg("mail:mail").arg(dir.join("mail")).status().unwrap();
            assert!(done.success());
        }
        let mut users = String::new();
        for (name, password) in setup.users {
            let encoded: String = password.bytes().fold(String::new(), |mut hex, b| {
                write!(hex, "{b:02x}").unwrap();
                hex
            });
            writeln!(users, "{name}:{{PLAIN.HEX}}{encoded}::::::").unwrap();
        }
        fs::write(dir.join("users"), users).unwrap();
        fs::write(dir.join("masters"), "admin:{PLAIN}master secret\n").unwrap();
        if let Some((cert, key)) = &setup.tls {
            fs::write(dir.join("cert.pem"), cert).unwrap();
            fs::write(dir.join("key.pem"), key).unwrap();
        }
    }

    fn configure(&self, setup: &Setup<'_>) -> PathBuf {
        let dir = self.dir.path();
        let root = is_root();
        let (user, group) = if root { ("mail".to_owned(), "mail".to_owned()) } else { (id("-un"), id("-gn")) };
        let tls = if setup.tls.is_some() {
            format!("ssl = yes\nssl_cert = <{0}/cert.pem\nssl_key = <{0}/key.pem", dir.display())
        } else {
            "ssl = no".to_owned()
        };
        let text = CONFIG
            .replace("@DIR@", &dir.display().to_string())
            .replace("@PORT@", &self.port.to_string())
            .replace("@TLSPORT@", &self.tls_port.to_string())
            .replace("@USER@", &user)
            .replace("@GROUP@", &group)
            .replace("@TLS@", &tls)
            .replace("@INTERNAL@", &if root { String::new() } else { INTERNAL.replace("@USER@", &user) })
            .replace("@EXTRA@", setup.extra);
        let path = dir.join("dovecot.conf");
        fs::write(&path, text).unwrap();
        path
    }

    async fn wait(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(Instant::now() < until, "{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The server's log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("dovecot.log")).unwrap_or_default()
    }

    /// Where the homes of the users are.
    pub fn mail(&self) -> PathBuf {
        self.dir.path().join("mail")
    }

    /// Runs `doveadm` on the server's mail.
    pub fn doveadm(&self, args: &[&str]) {
        let out = Command::new("doveadm")
            .arg("-c")
            .arg(self.dir.path().join("dovecot.conf"))
            .args(args)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }

    /// Changes a text of the configuration, for connections made from now on.
    pub fn change(&self, from: &str, to: &str) {
        let path = self.dir.path().join("dovecot.conf");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replace(from, to)).unwrap();
        self.doveadm(&["reload"]);
    }

    /// Gives the server another certificate and its key, for connections made from now on.
    pub fn renew(&self, (certificate, key): (String, String)) {
        fs::write(self.dir.path().join("cert.pem"), certificate).unwrap();
        fs::write(self.dir.path().join("key.pem"), key).unwrap();
        self.doveadm(&["reload"]);
    }

    /// A connector without TLS.
    pub fn connector(&self, user: &str, password: &str) -> Connector {
        let endpoint = ImapEndpoint { host: "127.0.0.1".to_owned(), port: self.port, security: ImapSecurity::Plain };
        Connector::new(endpoint, Login::password(user, Secret::new(password.to_owned())))
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        let pid = fs::read_to_string(self.dir.path().join("run/master.pid")).unwrap_or_default();
        if let Ok(pid) = pid.trim().parse::<u32>() {
            let _ = Command::new("kill").arg(pid.to_string()).stdin(Stdio::null()).status();
        }
    }
}

fn id(option: &str) -> String {
    let out = Command::new("id").arg(option).stdin(Stdio::null()).output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

fn is_root() -> bool {
    id("-u") == "0"
}

#[cfg(unix)]
fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(not(unix))]
fn open_to_all(_dir: &Path) {}

/// Two ports that are free now: both are held until both are found, so that none is given twice.
fn free_ports() -> (u16, u16) {
    let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [plain, tls] = held.each_ref().map(|l| l.local_addr().unwrap().port());
    (plain, tls)
}

const INTERNAL: &str = "
default_internal_user = @USER@
default_login_user = @USER@
service anvil {
  chroot =
}
service imap-login {
  chroot =
}";

const CONFIG: &str = r"
base_dir = @DIR@/run
state_dir = @DIR@/run
log_path = @DIR@/dovecot.log
protocols = imap
listen = 127.0.0.1
disable_plaintext_auth = no
@TLS@
auth_mechanisms = plain login
auth_master_user_separator = *
auth_failure_delay = 0
auth_username_chars =
passdb {
  driver = passwd-file
  args = @DIR@/masters
  master = yes
  result_success = continue
}
passdb {
  driver = passwd-file
  args = @DIR@/users
}
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=@USER@ gid=@GROUP@ home=@DIR@/mail/%u
}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
mail_fsync = never
mail_max_userip_connections = 1000
mailbox_list_index = yes
namespace inbox {
  inbox = yes
  separator = /
  mailbox Drafts {
    special_use = \Drafts
  }
  mailbox Sent {
    special_use = \Sent
  }
  mailbox Trash {
    special_use = \Trash
  }
}
service imap-login {
  service_count = 0
  process_min_avail = 1
  inet_listener imap {
    port = @PORT@
  }
  inet_listener imaps {
    port = @TLSPORT@
    ssl = yes
  }
}
@INTERNAL@
@EXTRA@
";
