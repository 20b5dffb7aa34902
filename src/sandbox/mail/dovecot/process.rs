//! Starting and stopping one instance.

use std::{
    collections::BTreeMap,
    env, fs, io,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use tokio::{net::TcpStream, time};

use super::{INSTALL, MASTER_USER, config};

/// Paths of UNIX sockets end at 108 octets; Dovecot adds up to about 30 to its folder.
const LONGEST_PATH: usize = 75;
/// How often a start is tried: somebody else may take a free port first.
const STARTS: usize = 3;
const STEP: Duration = Duration::from_millis(20);
const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// The system user that mail belongs to.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) user: String,
    pub(super) group: String,
    /// Set when files have to be given to another user, because Dovecot serves no mail as root.
    ids: Option<(u32, u32)>,
}

impl Owner {
    /// The user who owns mail in `dir`: the one who runs this program, or `mail` when that is root.
    pub(super) async fn of(dir: &Path) -> io::Result<Self> {
        if fs::metadata(dir)?.uid() != 0 {
            return Ok(Self { user: id(&["-un"]).await?, group: id(&["-gn"]).await?, ids: None });
        }
        let number = |text: String| text.parse().map_err(|_| io::Error::other("`id` did not answer a number"));
        let ids = (number(id(&["-u", "mail"]).await?)?, number(id(&["-g", "mail"]).await?)?);
        let owner = Self { user: "mail".to_owned(), group: id(&["-gn", "mail"]).await?, ids: Some(ids) };
        owner.must_reach(dir)?;
        Ok(owner)
    }

    #[cfg(test)]
    pub(super) fn named(user: &str, group: &str) -> Self {
        Self { user: user.to_owned(), group: group.to_owned(), ids: None }
    }

    /// Gives a file or folder to the user.
    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        match self.ids {
            Some((user, group)) => chown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// Opens the way to `dir` for the user: its own folder and the one that was given are ours to change, those above are
    /// not.
    fn must_reach(&self, dir: &Path) -> io::Result<()> {
        for (i, above) in dir.ancestors().enumerate() {
            let mode = fs::metadata(above)?.permissions().mode();
            if mode & 0o001 != 0 {
                continue;
            }
            if i > 1 {
                let text =
                    format!("{} cannot be entered by user `{}`: choose another folder", above.display(), self.user);
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
            }
            fs::set_permissions(above, fs::Permissions::from_mode(mode | 0o711))?;
        }
        Ok(())
    }
}

async fn id(args: &[&str]) -> io::Result<String> {
    let out = tokio::process::Command::new("id").args(args).stdin(Stdio::null()).output().await?;
    if !out.status.success() {
        return Err(io::Error::other(format!(
            "`id {}`: {}",
            args.join(" "),
            String::from_utf8_lossy(&out.stderr).trim()
        )));
    }
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// A program of Dovecot, on the path or where distributions put it.
pub(super) fn find(program: &str) -> io::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"].map(PathBuf::from);
    let found = env::split_paths(&path).chain(usual).map(|dir| dir.join(program)).find(|p| p.is_file());
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{program} is not installed: {INSTALL}")))
}

/// Refuses versions whose configuration is another.
pub(super) async fn check_version(binary: &Path) -> io::Result<()> {
    let out = tokio::process::Command::new(binary).arg("--version").stdin(Stdio::null()).output().await?;
    supported(&String::from_utf8_lossy(&out.stdout))
}

fn supported(version: &str) -> io::Result<()> {
    let version = version.split_whitespace().next().unwrap_or_default();
    if version.starts_with("2.3.") {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        format!(
            "Dovecot {version} is installed, and the sandbox writes the configuration of 2.3, which 2.4 renamed: use \
             Dovecot 2.3 or the in-memory server"
        ),
    ))
}

/// One running Dovecot.
#[derive(Debug)]
pub(super) struct Instance {
    child: Child,
    ports: BTreeMap<String, u16>,
}

impl Instance {
    /// Writes the configuration into `dir` and starts.
    pub(super) async fn start(
        binary: &Path,
        dir: &Path,
        owner: &Owner,
        services: &[String],
        master_password: &str,
        second: bool,
    ) -> io::Result<Self> {
        if dir.as_os_str().len() > LONGEST_PATH {
            let text = format!("{} is too long a path for sockets: choose a shorter one", dir.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        fs::create_dir_all(dir.join("run"))?;
        for folder in ["users", "mail"].map(|f| dir.join(f)) {
            fs::create_dir_all(&folder)?;
            owner.give(&folder)?;
        }
        let masters = dir.join("masters");
        fs::write(&masters, format!("{MASTER_USER}:{{PLAIN}}{master_password}\n"))?;
        fs::set_permissions(&masters, fs::Permissions::from_mode(0o600))?;
        owner.give(&masters)?;
        fs::write(dir.join("accounts.conf"), config::accounts(dir))?;
        let mut last = io::Error::other("Dovecot was not started");
        for _ in 0..STARTS {
            let ports = free_ports(services)?;
            fs::write(dir.join("dovecot.conf"), config::main(dir, owner, &ports, second))?;
            match Self::run(binary, dir, ports).await {
                Ok(instance) => return Ok(instance),
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    /// Output goes to files: a server that inherits a pipe holds whoever reads the other end.
    async fn run(binary: &Path, dir: &Path, ports: BTreeMap<String, u16>) -> io::Result<Self> {
        let output = fs::File::create(dir.join("start.log"))?;
        let child = Command::new(binary)
            .arg("-F")
            .arg("-c")
            .arg(dir.join("dovecot.conf"))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let mut instance = Self { child, ports };
        let told = || {
            let log = |name| fs::read_to_string(dir.join(name)).unwrap_or_default();
            format!("{}{}", log("start.log"), log("dovecot.log"))
        };
        let until = time::Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = instance.child.try_wait()? {
                return Err(io::Error::other(format!("Dovecot ended with {status}: {}", told().trim())));
            }
            if instance.answers().await {
                return Ok(instance);
            }
            if time::Instant::now() > until {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("Dovecot does not answer: {}", told().trim()),
                ));
            }
            time::sleep(STEP).await;
        }
    }

    pub(super) fn ports(&self) -> &BTreeMap<String, u16> {
        &self.ports
    }

    /// Whether every port greets. Listening alone is not enough: the login processes come up later.
    async fn answers(&self) -> bool {
        for port in self.ports.values() {
            let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).await else { return false };
            let greeting = time::timeout(Duration::from_secs(5), stream.readable()).await;
            if !matches!(greeting, Ok(Ok(()))) {
                return false;
            }
        }
        true
    }
}

fn free_ports(services: &[String]) -> io::Result<BTreeMap<String, u16>> {
    // All are held until all are found, so that none is given twice.
    let held: Vec<TcpListener> =
        services.iter().map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<io::Result<_>>()?;
    services.iter().zip(&held).map(|(s, l)| Ok((s.clone(), l.local_addr()?.port()))).collect()
}

impl Drop for Instance {
    /// Ends Dovecot by its process id and waits until it is gone, so that its folder can be removed.
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").arg(&pid).stdin(Stdio::null()).stderr(Stdio::null()).status();
        if asked.is_ok_and(|s| s.success()) {
            let (ended, wait) = mpsc::channel::<()>();
            let child = &mut self.child;
            thread::scope(|scope| {
                let pid = &pid;
                scope.spawn(move || {
                    if wait.recv_timeout(STOP_LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                        let _killed = Command::new("kill").args(["-KILL", pid]).stdin(Stdio::null()).status();
                    }
                });
                let _status = child.wait();
                drop(ended);
            });
        } else {
            let _gone = self.child.kill();
            let _status = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_versions_are_refused_by_a_message_that_says_what_to_do() {
        assert!(supported("2.3.19.1 (9b53102964)\n").is_ok());
        let refused = supported("2.4.1 (abc)").unwrap_err().to_string();
        assert!(refused.contains("2.4.1") && refused.contains("in-memory"), "{refused}");
        assert!(supported("").is_err());
    }

    #[test]
    fn a_missing_program_comes_with_the_install_line() {
        let text = find("dovecot-that-nobody-has").unwrap_err().to_string();
        assert!(text.contains("apt-get install dovecot-imapd"), "{text}");
    }
}
