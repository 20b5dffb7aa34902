//! Test messages of a move through a real Postfix into a real Dovecot: over STARTTLS, found by IMAP, refused for good and
//! for the time being.

use std::{
    fs::{self, File},
    net::TcpListener as Listener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rehome::{model::RecordType, sandbox::dns::Zones};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};

use crate::{
    imap::{
        dovecot::{Dovecot, Setup},
        tls::{authority, pem},
    },
    world::{Ran, World},
    zones::{ZONE, apply, parallel, served},
};

const PROBE: &str = "{ ttl: 120, margin: 0, approve: false, probe: { account: john.smith@blue.example } }";
const JOHN: &str = "john.smith@blue.example";
const POSTFIX: &str = "/usr/sbin/postfix";
/// Seconds after which the old MX is forgotten, and the test message is overdue.
const FORGOTTEN: u64 = 3_700;
const OVERDUE: u64 = FORGOTTEN + 1_000;

/// A private Postfix: its own folder and queue, one port on loopback, gone with the test.
struct Postfix {
    dir: tempfile::TempDir,
    port: u16,
}

/// Whether a Postfix can be started: only root may give its processes their users.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn here() -> bool {
    let missing = match (Path::new(POSTFIX).exists(), id(&["-u"]) == "0") {
        (false, _) => "Postfix is not installed",
        (true, false) => "Postfix can be started by root alone",
        (true, true) => return true,
    };
    assert!(std::env::var_os("REHOME_REQUIRE_SERVERS").is_none(), "{missing}: scripts/install-servers installs it");
    eprintln!("SKIPPED: {missing}");
    false
}

impl Postfix {
    /// Takes mail for the domain, asks a policy service about each recipient, and delivers into the Maildirs of Dovecot.
    fn start(mail: &Path, (certificate, key): &(String, String), policy: u16) -> Self {
        let port = Listener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { dir: tempfile::tempdir().unwrap(), port };
        let dir = server.dir.path();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        for part in ["queue", "data"] {
            fs::create_dir(dir.join(part)).unwrap();
        }
        let owned = Command::new("chown").arg("postfix").arg(dir.join("data")).status().unwrap();
        assert!(owned.success());
        fs::write(dir.join("cert.pem"), certificate).unwrap();
        fs::write(dir.join("key.pem"), key).unwrap();
        let main = MAIN
            .replace("@DIR@", &dir.display().to_string())
            .replace("@MAIL@", &mail.display().to_string())
            .replace("@UID@", &id(&["-u", "mail"]))
            .replace("@GID@", &id(&["-g", "mail"]))
            .replace("@POLICY@", &policy.to_string());
        fs::write(dir.join("main.cf"), main).unwrap();
        fs::write(dir.join("master.cf"), MASTER.replace("@PORT@", &port.to_string())).unwrap();
        assert!(server.postfix("start"), "{}", server.log());
        let until = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "{}", server.log());
            std::thread::yield_now();
        }
        server
    }

    fn postfix(&self, word: &str) -> bool {
        // A daemon that keeps a pipe of ours would hold us for ever.
        let out = File::options().create(true).append(true).open(self.dir.path().join("out")).unwrap();
        let mut command = Command::new(POSTFIX);
        command.arg("-c").arg(self.dir.path()).arg(word);
        command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
        command.status().unwrap().success()
    }

    fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
        format!("{}{}", read("out"), read("mail.log"))
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        self.postfix("abort");
    }
}

fn id(arguments: &[&str]) -> String {
    let out = Command::new("id").args(arguments).stdin(Stdio::null()).output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

const MAIN: &str = "compatibility_level = 3.6
queue_directory = @DIR@/queue
data_directory = @DIR@/data
maillog_file = @DIR@/mail.log
maillog_file_prefixes = @DIR@
multi_instance_enable = no
myhostname = mx.new.example
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
virtual_mailbox_domains = blue.example
virtual_mailbox_base = @MAIL@
virtual_mailbox_maps = inline:{ { john.smith@blue.example = john.smith@blue.example/Maildir/ } }
virtual_minimum_uid = 1
virtual_uid_maps = static:@UID@
virtual_gid_maps = static:@GID@
smtpd_tls_cert_file = @DIR@/cert.pem
smtpd_tls_key_file = @DIR@/key.pem
smtpd_tls_security_level = encrypt
smtpd_tls_loglevel = 1
smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:@POLICY@, reject_unauth_destination
";

const MASTER: &str = "127.0.0.1:@PORT@ inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";

/// A policy service that lets everybody in until the MX has moved, and then answers with this action.
fn policy(world: &World, afterwards: &'static str) -> u16 {
    let zones: Zones = world.sandbox().zones().clone();
    let listener = world.wait_for(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    world.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let zones = zones.clone();
            tokio::spawn(async move {
                let mut lines = BufReader::new(stream).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    if !line.is_empty() {
                        continue;
                    }
                    let moved = zones.get(ZONE, RecordType::Mx) == ["10 mx.new.example"];
                    let action = if moved { afterwards } else { "DUNNO" };
                    let answer = format!("action={action}\n\n");
                    if lines.get_mut().write_all(answer.as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    port
}

/// A move to Postfix and Dovecot, up to where nothing but the test message is in the way.
fn ready(afterwards: &'static str) -> Option<(World, Dovecot, Postfix)> {
    if !here() {
        return None;
    }
    let world = parallel(PROBE);
    let dovecot = world.wait_for(Dovecot::start(Setup::default()))?;
    let zones = world.sandbox().zones();
    zones.add_zone("new.example", &["dns1.sandbox.example"]).unwrap();
    zones.set("mx.new.example", RecordType::A, &["127.0.0.1"], 60).unwrap();
    let by = authority("of Postfix");
    world.write("authority.pem", &by.pem());
    world.set("SSL_CERT_FILE", &world.dir().join("authority.pem").display().to_string());
    let service = policy(&world, afterwards);
    let postfix = Postfix::start(&dovecot.mail(), &pem(&by, &["mx.new.example"]), service);
    world.set("REHOME_IMAP_NEW", &format!("imap://127.0.0.1:{}", dovecot.port));
    world.set("NEW_PASSWORD", "secret");
    world.set("REHOME_SMTP_PORT", &postfix.port.to_string());
    apply(&world, &["--no-wait", "--ack", "mx-change"]).ends(7);
    world.set("REHOME_AHEAD_SECONDS", &FORGOTTEN.to_string());
    Some((world, dovecot, postfix))
}

fn resume(world: &World) -> Ran {
    world.run(&["resume", "rehome.yaml", "--no-wait"])
}

fn has_moved(world: &World) -> bool {
    served(world, ZONE, RecordType::Mx) == ["10 mx.new.example"]
}

/// The test messages in the inbox, as they lie on the disk.
fn probes(dovecot: &Dovecot) -> usize {
    let inbox = dovecot.mail().join(JOHN).join("Maildir");
    let files = ["new", "cur"].into_iter().filter_map(|part| fs::read_dir(inbox.join(part)).ok()).flatten();
    let texts = files.filter_map(|file| fs::read(file.ok()?.path()).ok());
    texts.filter(|text| String::from_utf8_lossy(text).contains("\nX-Rehome-Probe: ")).count()
}

#[test]
fn a_test_message_goes_through_postfix_and_is_found_in_dovecot() {
    let Some((world, dovecot, postfix)) = ready("DUNNO") else { return };
    let until = Instant::now() + Duration::from_secs(60);
    let mut ran = resume(&world).ends(7);
    // Postfix delivers after it has taken the message.
    while !ran.err.contains("found in INBOX") {
        assert!(Instant::now() < until, "{ran}\n{}", postfix.log());
        ran = resume(&world).ends(7);
    }
    assert!(postfix.log().contains("TLS connection established"), "{}", postfix.log());
    assert!(has_moved(&world));
    assert_eq!(probes(&dovecot), 1);
    world.set("REHOME_AHEAD_SECONDS", &(FORGOTTEN + 200).to_string());
    resume(&world).ends(0);
}

#[test]
fn what_postfix_refuses_after_the_move_takes_it_back() {
    for (action, told) in
        [("550 5.1.1 nobody here", "refuses it: 550 5.1.1"), ("451 4.3.0 not now", "asks to come again: 451 4.3.0")]
    {
        let Some((world, dovecot, postfix)) = ready(action) else { return };
        let mut ran = resume(&world);
        if action.starts_with('4') {
            assert!(ran.err.contains(told) && has_moved(&world), "{ran}\n{}", postfix.log());
            world.set("REHOME_AHEAD_SECONDS", &OVERDUE.to_string());
            ran = resume(&world);
        }
        let ran = ran.ends(3);
        assert!(ran.err.contains("was moved back, because the test message failed"), "{ran}\n{}", postfix.log());
        assert!(ran.err.contains(told), "{ran}");
        assert_eq!(served(&world, ZONE, RecordType::Mx).len(), 4);
        assert_eq!(probes(&dovecot), 0);
        world.leaves_more_to_do();
    }
}
