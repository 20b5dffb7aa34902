//! What every command needs: the spec, the platforms, the workspace, and a look at the world.

use std::{
    collections::BTreeMap,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    args::{Color, Global, LookArgs},
    endpoint,
    env::Env,
    failure::{Failure, exit_of},
    screen,
};
use crate::{
    apply::Clock,
    diag::{self, Exit},
    imap::Parking,
    model::{Credentials, Inventory, PlatformId},
    observe::{Look, Observation, SecretProblem, server_address},
    provider::{self, Patience, PlatformConfig, Provider, ProviderError, Reader},
    report,
    spec::{self, PlatformSpec, Spec},
};

/// How many mailboxes are opened at the same time to look at them.
const LOOKS: usize = 8;

/// The ports of other people's servers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    /// Mail.
    pub(super) smtp: u16,
    /// Policies.
    pub(super) https: u16,
}

/// The surroundings of a command.
#[derive(Clone)]
pub(super) struct Context {
    /// The flags of every command.
    pub(super) global: Global,
    /// Environment variables.
    pub(super) env: Env,
    /// Whether answers are coloured.
    pub(super) color: bool,
    /// How wide answers may be.
    pub(super) width: usize,
    /// Whether a flag of the command lets mail cross a network without TLS.
    pub(super) insecure: bool,
    /// Where connections to mailboxes stay between a look and a copy, and from copy to copy, as long as nothing is renamed.
    pub(super) parking: Option<Parking>,
}

impl Context {
    /// The surroundings of a command typed in a shell.
    pub(super) fn new(global: Global, env: Env) -> Self {
        let color = screen::colored(global.color);
        Self { global, env, color, width: screen::columns(), insecure: false, parking: None }
    }

    /// Writes an answer to stdout. A reader that has gone away is no error.
    pub(super) fn answer(&self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        match written {
            Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Failure::caused(Exit::Failed, "cannot write to stdout", &e))
            }
            _ => Ok(()),
        }
    }

    /// Reads a spec; its warnings go to stderr.
    pub(super) fn load(&self, path: &Path) -> Result<Spec, Failure> {
        let loaded = spec::load(path).map_err(Failure::invalid)?;
        if !loaded.warnings.0.is_empty() && !self.global.quiet {
            let color = self.color && self.global.color != Color::Never;
            anstream::eprint!("{}", loaded.warnings.render(color, self.width));
        }
        Ok(loaded.spec)
    }

    /// The folder of the journal that belongs to a spec.
    pub(super) fn workspace(&self, spec: &Path) -> PathBuf {
        if let Some(folder) = &self.global.workspace {
            return folder.clone();
        }
        let folder = if spec.is_dir() { Some(spec) } else { spec.parent() };
        folder.filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new(".")).join(".rehome")
    }

    /// Opens every platform for reading.
    pub(super) fn readers(&self, spec: &Spec) -> Result<BTreeMap<PlatformId, Arc<dyn Reader>>, Failure> {
        let configs = self.configs(spec)?;
        let mut out: BTreeMap<PlatformId, Arc<dyn Reader>> = BTreeMap::new();
        for (id, config) in configs {
            out.insert(id, Arc::from(provider::open_reader(&config)?));
        }
        Ok(out)
    }

    /// Opens every platform for reading, and takes where mailboxes are from the spec and the platform alone: what users
    /// are told must not depend on the way that this machine takes (`REHOME_IMAP_...`).
    pub(super) fn readers_for_users(&self, spec: &Spec) -> Result<BTreeMap<PlatformId, Arc<dyn Reader>>, Failure> {
        let mut out: BTreeMap<PlatformId, Arc<dyn Reader>> = BTreeMap::new();
        for (id, config) in self.configs(spec)? {
            let imap = spec.platforms.get(&id).and_then(|p| p.imap.clone());
            out.insert(id, Arc::from(provider::open_reader(&PlatformConfig { imap, ..config })?));
        }
        Ok(out)
    }

    /// Opens every platform for changes. Only `apply` and `resume` do.
    pub(super) fn providers(&self, spec: &Spec) -> Result<BTreeMap<PlatformId, Arc<dyn Provider>>, Failure> {
        let configs = self.configs(spec)?;
        let mut out: BTreeMap<PlatformId, Arc<dyn Provider>> = BTreeMap::new();
        for (id, config) in configs {
            out.insert(id, Arc::from(provider::open(&config)?));
        }
        Ok(out)
    }

    pub(super) fn configs(&self, spec: &Spec) -> Result<BTreeMap<PlatformId, PlatformConfig>, Failure> {
        let mut problems = Vec::new();
        let mut out = BTreeMap::new();
        for (id, wish) in &spec.platforms {
            out.insert(id.clone(), self.config(id, wish, &spec.base, &mut problems)?);
        }
        if problems.is_empty() { Ok(out) } else { Err(secrets_missing(&problems)) }
    }

    fn config(
        &self,
        id: &PlatformId,
        wish: &PlatformSpec,
        base: &Path,
        problems: &mut Vec<SecretProblem>,
    ) -> Result<PlatformConfig, Failure> {
        let mut credentials = Credentials::default();
        for (field, reference) in &wish.credentials {
            match self.env.secret(reference, base) {
                Ok(secret) => {
                    credentials.0.insert(field.clone(), secret);
                }
                Err(error) => problems.push(SecretProblem {
                    subject: format!("{field} of platform {id}"),
                    reference: reference.clone(),
                    reason: diag::chain(&error).join(": "),
                }),
            }
        }
        let imap = match self.env.get(&endpoint::variable(id)) {
            Some(text) => Some(
                endpoint::parse(&text)
                    .map_err(|reason| Failure::new(Exit::Invalid, format!("{}: {reason}", endpoint::variable(id))))?,
            ),
            None => wish.imap.clone(),
        };
        Ok(PlatformConfig {
            service: wish.service.clone(),
            organization: wish.organization.clone(),
            endpoint: wish.endpoint.clone().or_else(|| self.env.get("OVH_ENDPOINT")),
            imap,
            credentials,
            requests_per_minute: wish
                .requests_per_minute
                .or_else(|| self.env.get("REHOME_REQUESTS_PER_MINUTE").and_then(|n| n.parse().ok())),
            patience: self.patience(),
            ..PlatformConfig::new(id.clone(), wish.kind)
        })
    }

    /// Looks at everything the spec speaks of; whatever cannot be read at all ends the command.
    pub(super) async fn observe(
        &self,
        spec: &Spec,
        readers: &BTreeMap<PlatformId, Arc<dyn Reader>>,
        look: &LookArgs,
    ) -> Result<Inventory, Failure> {
        let Observation { inventory, failures, secrets } = self.look_around(spec, readers, look).await?;
        if let Some(failure) = unreadable(failures) {
            return Err(failure);
        }
        if secrets.is_empty() {
            return Ok(inventory);
        }
        Err(secrets_missing(&secrets).help("put each where the spec says; with --no-logins mailboxes are not opened"))
    }

    /// Looks at everything the spec speaks of, and gives what cannot be read as data.
    pub(super) async fn look_around(
        &self,
        spec: &Spec,
        readers: &BTreeMap<PlatformId, Arc<dyn Reader>>,
        look: &LookArgs,
    ) -> Result<Observation, Failure> {
        let secrets = |reference: &_| self.env.secret(reference, &spec.base).map_err(|e| diag::chain(&e).join(": "));
        let eyes = Look {
            spec,
            readers,
            secrets: &secrets,
            mailboxes: !look.no_logins,
            dns: !look.no_dns,
            dns_servers: self.dns_servers()?,
            https: self.ports().https,
            allow_plain: self.allow_plain(),
            parallel: LOOKS,
            parking: self.parking.clone(),
        };
        Ok(eyes.observe().await)
    }

    /// The DNS servers to ask instead of each domain's own.
    pub(super) fn dns_servers(&self) -> Result<Vec<SocketAddr>, Failure> {
        let Some(list) = self.env.get("REHOME_DNS_SERVERS") else { return Ok(Vec::new()) };
        list.split(',')
            .map(|text| {
                server_address(text.trim()).ok_or_else(|| {
                    Failure::new(Exit::Invalid, format!("REHOME_DNS_SERVERS: `{text}` is not an address"))
                        .help("give address or address:port, separated by commas")
                })
            })
            .collect()
    }

    /// How answers look.
    pub(super) fn looks(&self) -> report::Options {
        report::Options {
            width: self.width,
            style: if self.color { report::Style::Color } else { report::Style::Plain },
            verbose: self.global.verbose > 0,
        }
    }

    /// Who runs this, for the journal.
    pub(super) fn actor(&self) -> String {
        self.env.get("USER").or_else(|| self.env.get("LOGNAME")).unwrap_or_else(|| "somebody".to_owned())
    }

    /// How long tasks of platforms may take, and how often they are looked at.
    pub(super) fn patience(&self) -> Patience {
        let first = self.env.get("REHOME_TASK_PAUSE_MILLIS").and_then(|n| n.parse().ok()).map(Duration::from_millis);
        let usual = Patience::default();
        Patience { first_pause: first.unwrap_or(usual.first_pause), ..usual }
    }

    /// How often something that is waited for is looked at.
    pub(super) fn poll(&self) -> Duration {
        let millis = self.env.get("REHOME_POLL_MILLIS").and_then(|n| n.parse().ok());
        millis.map_or(Duration::from_secs(30), Duration::from_millis)
    }

    /// The clock of waits. `REHOME_AHEAD_SECONDS` sets it ahead, to rehearse in a sandbox what takes hours.
    pub(super) fn clock(&self) -> Clock {
        let ahead = self.env.get("REHOME_AHEAD_SECONDS").and_then(|n| n.parse().ok()).unwrap_or(0);
        Clock::new(move || jiff::Timestamp::now() + jiff::SignedDuration::from_secs(ahead))
    }

    /// Where mail servers and web servers listen: `REHOME_SMTP_PORT` and `REHOME_HTTPS_PORT` are for rehearsals, where
    /// nobody may listen at the ports that the world uses.
    pub(super) fn ports(&self) -> Ports {
        let port = |name: &str, usual| self.env.get(name).and_then(|n| n.parse().ok()).unwrap_or(usual);
        Ports { smtp: port("REHOME_SMTP_PORT", 25), https: port("REHOME_HTTPS_PORT", 443) }
    }

    /// How long a connection that vanished may still deliver what it had received.
    pub(super) fn settle(&self) -> Duration {
        let millis = self.env.get("REHOME_SETTLE_MILLIS").and_then(|n| n.parse().ok());
        millis.map_or(Duration::from_secs(60), Duration::from_millis)
    }

    /// Whether mail may cross a network without TLS: `REHOME_INSECURE=1`, or a flag.
    pub(super) fn allow_plain(&self) -> bool {
        self.insecure || self.env.get("REHOME_INSECURE").is_some_and(|v| v == "1" || v == "true")
    }
}

/// All platforms that could not be read, in one failure.
fn unreadable(mut failures: Vec<(PlatformId, ProviderError)>) -> Option<Failure> {
    if failures.len() <= 1 {
        return failures.pop().map(|(_, error)| Failure::from(error));
    }
    let exit = failures.iter().map(|(_, e)| exit_of(e.class)).min()?;
    let mut failure = Failure::new(exit, format!("{} platforms cannot be read", failures.len()));
    let mut help: Vec<String> = Vec::new();
    for (_, error) in failures {
        failure.errors.push(diag::chain(&error).join(": "));
        help.extend(error.help.filter(|text| !help.contains(text)));
    }
    failure.help = (!help.is_empty()).then(|| help.join("; "));
    Some(failure)
}

/// All secrets that cannot be had, in one failure.
pub(super) fn secrets_missing(problems: &[SecretProblem]) -> Failure {
    let mut failure = Failure::new(
        Exit::Denied,
        match problems.len() {
            1 => "a secret cannot be had".to_owned(),
            n => format!("{n} secrets cannot be had"),
        },
    );
    let lines = problems.iter().map(|p| format!("{} ({}): {}", p.subject, p.reference, p.reason));
    failure.errors.extend(lines);
    failure.help("put each where the spec says")
}
