//! Real servers, private and on loopback: NSD with authority, Unbound as a validating resolver.

use std::{
    ffi::OsStr,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// What these tests need (`scripts/install-servers` installs it).
const PROGRAMS: [&str; 4] = ["nsd", "unbound", "ldns-keygen", "ldns-signzone"];
const PLACES: [&str; 3] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin"];

fn place(program: &str) -> Option<String> {
    PLACES.iter().map(|p| format!("{p}/{program}")).find(|p| Path::new(p).exists())
}

/// Whether the servers are there; without them a test ends at once, unless they are required.
pub fn here() -> bool {
    all_here(&PROGRAMS)
}

/// The same for BIND.
pub fn bind_here() -> bool {
    all_here(&["named"])
}

#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn all_here(programs: &[&'static str]) -> bool {
    let missing: Vec<&str> = programs.iter().copied().filter(|p| place(p).is_none()).collect();
    if missing.is_empty() {
        return true;
    }
    let required = std::env::var_os("REHOME_REQUIRE_SERVERS").is_some();
    assert!(!required, "{} not installed: scripts/install-servers installs them", missing.join(", "));
    eprintln!("SKIPPED: {} not installed", missing.join(", "));
    false
}

/// A child that ends with its test.
pub struct Daemon {
    child: Child,
    pub address: SocketAddr,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // SIGTERM, so that NSD ends its own children too.
        let _gone = Command::new("kill").arg(self.child.id().to_string()).status();
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            pause();
        }
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Between two looks at a child.
#[expect(clippy::disallowed_methods, reason = "no runtime here: children are waited for in Drop too")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

fn free_port() -> u16 {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = tcp.local_addr().unwrap().port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

fn start(program: &str, flag: &str, folder: &Path, config: impl Fn(u16) -> String) -> Daemon {
    // Somebody else may take the port between its choice and its use.
    for _ in 0..5 {
        let port = free_port();
        let file = folder.join(format!("{program}.conf"));
        fs::write(&file, config(port)).unwrap();
        let out = File::create(folder.join(format!("{program}.out"))).unwrap();
        let mut command = Command::new(place(program).unwrap());
        command.arg(flag).arg("-c").arg(&file).current_dir(folder);
        command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
        let mut child = command.spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if std::net::TcpStream::connect(address).is_ok() {
                return Daemon { child, address };
            }
            pause();
        }
        let _gone = child.kill();
        let _gone = child.wait();
    }
    panic!(
        "{program} did not start: {}",
        fs::read_to_string(folder.join(format!("{program}.out"))).unwrap_or_default()
    );
}

/// NSD with these zones, `(apex, records)`.
pub fn nsd(folder: &Path, zones: &[(&str, &str)]) -> Daemon {
    write_zones(folder, zones);
    start("nsd", "-d", folder, |port| nsd_config(folder, &[format!("127.0.0.1@{port}")], zones))
}

fn write_zones(folder: &Path, zones: &[(&str, &str)]) {
    for (apex, text) in zones {
        fs::write(folder.join(format!("{apex}.zone")), text).unwrap();
    }
}

/// NSD's configuration with the zones that `write_zones` wrote.
fn nsd_config(folder: &Path, listens: &[String], zones: &[(&str, &str)]) -> String {
    let at = folder.display();
    let addresses: String = listens.iter().map(|l| format!("  ip-address: {l}\n")).collect();
    let rows = zones.iter().map(|(apex, _)| format!("zone:\n  name: {apex}\n  zonefile: {at}/{apex}.zone\n"));
    format!(
        "server:\n{addresses}  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{at}\"\n  database: \"\"\n  pidfile: \
         \"{at}/nsd.pid\"\n  xfrdfile: \"{at}/xfrd.state\"\n  zonelistfile: \"{at}/zone.list\"\n  server-count: 1\n  \
         logfile: \"{at}/nsd.log\"\nremote-control:\n  control-enable: no\n{}",
        rows.collect::<String>()
    )
}

/// Unbound, which validates with these DS records and asks a server for these zones. It asks it for every other name
/// too, and is refused at once: no test waits for servers that cannot be reached.
pub fn unbound(folder: &Path, at: SocketAddr, zones: &[(&str, &str)]) -> Daemon {
    let mut anchors = String::new();
    let mut stubs = String::new();
    for (apex, ds) in zones {
        let file = folder.join(format!("{apex}.ds"));
        fs::write(&file, ds).unwrap();
        anchors.push_str(&format!("  trust-anchor-file: \"{}\"\n", file.display()));
        stubs.push_str(&format!("stub-zone:\n  name: {apex}\n  stub-addr: {}@{}\n", at.ip(), at.port()));
    }
    stubs.push_str(&format!("forward-zone:\n  name: \".\"\n  forward-addr: {}@{}\n", at.ip(), at.port()));
    start("unbound", "-d", folder, |port| {
        unbound_config(folder, port, &format!("{anchors}remote-control:\n  control-enable: no\n{stubs}"))
    })
}

fn unbound_config(folder: &Path, port: u16, more: &str) -> String {
    let here = folder.display();
    format!(
        "server:\n  interface: 127.0.0.1\n  port: {port}\n  do-daemonize: no\n  username: \"\"\n  chroot: \"\"\n  \
         directory: \"{here}\"\n  pidfile: \"{here}/unbound.pid\"\n  use-syslog: no\n  logfile: \"{here}/unbound.log\"\n  \
         do-not-query-localhost: no\n  num-threads: 1\n  module-config: \"validator iterator\"\n  local-zone: \"test.\" \
         nodefault\n{more}"
    )
}

/// A signed zone and its DS record.
pub fn signed(folder: &Path, apex: &str, text: &str) -> (String, String) {
    signed_until(folder, apex, text, "20370101000000")
}

/// The same with signatures that end then.
pub fn signed_until(folder: &Path, apex: &str, text: &str, end: &str) -> (String, String) {
    let file = folder.join(format!("{apex}.plain"));
    fs::write(&file, text).unwrap();
    let run = |program: &str, args: &[&str]| {
        let out = Command::new(place(program).unwrap()).args(args).current_dir(folder).output().unwrap();
        assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    let key = run("ldns-keygen", &["-a", "ECDSAP256SHA256", "-k", "-r", "/dev/urandom", apex]);
    let plain = file.display().to_string();
    run("ldns-signzone", &["-i", "20250101000000", "-e", end, &plain, &key]);
    let zone = fs::read_to_string(folder.join(format!("{apex}.plain.signed"))).unwrap();
    (zone, fs::read_to_string(folder.join(format!("{key}.ds"))).unwrap())
}

/// BIND as the primary of one zone that takes updates signed with a key.
pub fn bind(folder: &Path, apex: &str, text: &str, (key, algorithm, secret): (&str, &str, &str)) -> Daemon {
    let file = folder.join(format!("{apex}.zone"));
    fs::write(&file, text).unwrap();
    let (at, file) = (folder.display(), file.display());
    start("named", "-f", folder, |port| {
        format!(
            "options {{ directory \"{at}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file \
             \"{at}/named.pid\"; session-keyfile \"{at}/session.key\"; managed-keys-directory \"{at}\"; recursion no; \
             notify no; dnssec-validation no; }};\ncontrols {{ }};\nkey \"{key}\" {{ algorithm {algorithm}; secret \
             \"{secret}\"; }};\nzone \"{apex}\" {{ type primary; file \"{file}\"; allow-update {{ key \"{key}\"; }}; }};\n"
        )
    })
}

/// Runs a program in a network of its own, where name servers listen at port 53 of loopback addresses, `(address,
/// zones)`, and Unbound is the system's resolver, which begins with one zone at the first of them. `None` after a
/// visible note where this user may not make a network.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
pub fn alone(folder: &Path, zone: &str, servers: &[(&str, &[(&str, &str)])], program: &[&OsStr]) -> Option<Output> {
    let network = ["--net", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c"];
    let at = folder.display();
    fs::write(folder.join("resolv.conf"), "nameserver 127.0.0.1\n").unwrap();
    let mut script = format!("set -e; ip link set lo up; mount --bind {at}/resolv.conf /etc/resolv.conf; ");
    let may = Command::new("unshare").args(network).arg(&script).stdin(Stdio::null()).output();
    if !may.is_ok_and(|out| out.status.success()) {
        eprintln!("SKIPPED: no right to make a network namespace");
        return None;
    }
    for (address, zones) in servers {
        let own = folder.join(address);
        fs::create_dir(&own).unwrap();
        write_zones(&own, zones);
        fs::write(own.join("nsd.conf"), nsd_config(&own, &[(*address).to_owned()], zones)).unwrap();
        script += &format!("{} -d -c {}/nsd.conf >/dev/null 2>&1 & ", place("nsd").unwrap(), own.display());
    }
    let first = servers.first().map(|(address, _)| *address).unwrap_or_default();
    let more = format!(
        "remote-control:\n  control-enable: no\nstub-zone:\n  name: {zone}\n  stub-addr: {first}\nforward-zone:\n  \
         name: \".\"\n  forward-addr: {first}\n"
    );
    fs::write(folder.join("unbound.conf"), unbound_config(folder, 53, &more)).unwrap();
    script += &format!("{} -d -c {at}/unbound.conf >/dev/null 2>&1 & ", place("unbound").unwrap());
    for address in servers.iter().map(|(address, _)| *address).chain(["127.0.0.1"]) {
        let there = format!("(: </dev/tcp/{address}/53) 2>/dev/null");
        script += &format!("n=0; until {there}; do n=$((n + 1)); [ $n -lt 1000 ]; sleep 0.02; done; ");
    }
    script += "\"$0\" \"$@\"";
    let ran = Command::new("unshare").args(network).arg(&script).args(program).stdin(Stdio::null()).output();
    Some(ran.unwrap())
}
