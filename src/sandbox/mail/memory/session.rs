//! One connection: greeting, login, dispatch, end.

use std::{io, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::net::TcpStream;

use super::{
    CAPABILITIES, Fault, Shared,
    args::{self, Arg, Command},
    selected::Selected,
    wire::{Incoming, Out, Wire},
    world::{Mailbox, World},
};

/// The largest literal before login.
const SMALL: u64 = 8192;

/// How a command ends when it does not end with OK.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The command failed.
    No(String),
    /// The command was not understood.
    Bad(String),
    /// The session ends with these words.
    Bye(String),
    /// The connection breaks.
    Drop,
}

/// The words behind `OK`, or how it failed.
pub(super) type Outcome = Result<String, Refusal>;

pub(super) fn no<T>(words: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::No(words.into()))
}

pub(super) fn bad<T>(words: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Bad(words.into()))
}

/// The state of one connection.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) service: String,
    /// The mailbox and its epoch at login.
    user: Option<(u64, u64)>,
    pub(super) selected: Option<Selected>,
    /// Whether the client asked for CONDSTORE (RFC 7162 3.1).
    pub(super) condstore: bool,
}

/// Serves one connection to its end.
pub(super) async fn serve(stream: TcpStream, service: String, shared: Arc<Shared>) -> io::Result<()> {
    let mut wire = Wire::new(stream);
    let mut session = Session { shared, service, user: None, selected: None, condstore: false };
    let mut out = Out::default();
    out.line(format!("* OK [CAPABILITY {}] sandbox ready", session.capabilities()));
    wire.send(out).await?;
    loop {
        let mut out = Out::default();
        let goes_on = match wire.command(session.literal_limit()).await? {
            Incoming::Closed => return Ok(()),
            Incoming::Absurd => {
                out.line("* BYE the command is too long");
                false
            }
            Incoming::TooBig { text } => {
                let tag = text.split(|b| *b == b' ').next().unwrap_or_default();
                out.line(format!(
                    "{} NO [TOOBIG] the message is larger than APPENDLIMIT",
                    String::from_utf8_lossy(tag)
                ));
                true
            }
            Incoming::Command(raw) => match args::parse(&raw) {
                Err((tag, what)) => {
                    out.line(format!("{tag} BAD {what}"));
                    true
                }
                Ok(command) => session.answer(&command, &mut wire, &mut out).await?,
            },
        };
        wire.send(out).await?;
        if !goes_on {
            return Ok(());
        }
    }
}

impl Session {
    /// Runs a command and writes its end; whether the connection goes on.
    async fn answer(&mut self, command: &Command, wire: &mut Wire, out: &mut Out) -> io::Result<bool> {
        self.shared.counters.add(&format!("imap.{}.{}", self.service, command.verb));
        let outcome = match command.verb.as_str() {
            "AUTHENTICATE" => self.authenticate(command, wire).await?,
            "IDLE" => self.idle(wire).await?,
            _ => {
                let shared = Arc::clone(&self.shared);
                let mut world = shared.lock();
                self.run(&mut world, command, out)
            }
        };
        let tag = &command.tag;
        match outcome {
            Ok(words) => out.line(format!("{tag} OK {words}")),
            Err(Refusal::No(words)) => out.line(format!("{tag} NO {words}")),
            Err(Refusal::Bad(words)) => out.line(format!("{tag} BAD {words}")),
            Err(Refusal::Bye(words)) => {
                out.line(format!("* BYE {words}"));
                return Ok(false);
            }
            Err(Refusal::Drop) => return Ok(false),
        }
        self.shared.changes.send_replace(());
        Ok(command.verb != "LOGOUT")
    }

    fn run(&mut self, world: &mut World, command: &Command, out: &mut Out) -> Outcome {
        let args = command.args.as_slice();
        match (command.verb.as_str(), args) {
            ("CAPABILITY", []) => {
                out.line(format!("* CAPABILITY {}", self.capabilities_in(world)));
                return Ok("done".to_owned());
            }
            ("ID", [_]) => {
                out.line("* ID (\"name\" \"rehome sandbox\")");
                return Ok("done".to_owned());
            }
            ("LOGOUT", []) => {
                out.line("* BYE until next time");
                return Ok("done".to_owned());
            }
            ("LOGIN", [user, password]) => {
                let (Some(user), Some(password)) = (user.text(), password.bytes()) else {
                    return bad("LOGIN takes a name and a password");
                };
                return self.login(world, user, password);
            }
            ("NOOP", []) if self.user.is_none() => return Ok("done".to_owned()),
            _ => {}
        }
        self.mailbox(world)?;
        self.injected(world, &command.verb)?;
        let done = self.run_authenticated(world, command, out);
        // Numbers must not shift under a client that is using them (RFC 9051 7.5.1).
        let numbers_in_use = !command.uid && matches!(command.verb.as_str(), "FETCH" | "STORE" | "SEARCH");
        self.tell_changes(world, !numbers_in_use, out)?;
        done
    }

    fn run_authenticated(&mut self, world: &mut World, command: &Command, out: &mut Out) -> Outcome {
        let args = command.args.as_slice();
        match command.verb.as_str() {
            "NOOP" | "CHECK" => Ok("done".to_owned()),
            "ENABLE" => self.enable(args, out),
            "NAMESPACE" => self.namespace(world, out),
            "LIST" => self.list(world, args, out),
            "LSUB" => self.lsub(world, args, out),
            "STATUS" => self.status(world, args, out),
            "CREATE" => self.create(world, args),
            "DELETE" => self.delete(world, args),
            "RENAME" => self.rename(world, args),
            "SUBSCRIBE" => self.subscribe(world, args, true),
            "UNSUBSCRIBE" => self.subscribe(world, args, false),
            "GETQUOTAROOT" => self.quota_root(world, args, out),
            "GETQUOTA" => self.quota(world, args, out),
            "APPEND" => self.append(world, args),
            "SELECT" => self.select(world, args, false, out),
            "EXAMINE" => self.select(world, args, true, out),
            "CLOSE" => self.close(world, true),
            "UNSELECT" => self.close(world, false),
            "EXPUNGE" => self.expunge(world, command),
            "FETCH" => self.fetch(world, command, out),
            "STORE" => self.store(world, command, out),
            "SEARCH" => self.search(world, command, out),
            "COPY" => self.copy(world, command, false, out),
            "MOVE" => self.copy(world, command, true, out),
            "CAPABILITY" | "ID" | "LOGOUT" => bad("wrong arguments"),
            "LOGIN" => bad("wrong arguments, or already logged in"),
            other => bad(format!("{other} is not known here")),
        }
    }

    /// The mailbox of this session.
    pub(super) fn mailbox<'w>(&self, world: &'w mut World) -> Result<&'w mut Mailbox, Refusal> {
        let Some((id, epoch)) = self.user else { return bad("log in first") };
        match world.mailbox(&self.service, id) {
            Some(mailbox) if mailbox.epoch == epoch => Ok(mailbox),
            Some(_) => Err(Refusal::Bye("the account was renamed".to_owned())),
            None => Err(Refusal::Bye("the account is gone".to_owned())),
        }
    }

    fn login(&mut self, world: &mut World, user: &str, password: &[u8]) -> Outcome {
        if self.user.is_some() {
            return bad("already logged in");
        }
        let wrong = || no("[AUTHENTICATIONFAILED] the name or the password is wrong");
        let Some(service) = world.services.get(&self.service) else { return wrong() };
        let Some(id) = service.logins.get(&user.to_lowercase()) else { return wrong() };
        let Some(mailbox) = service.mailboxes.get(id) else { return wrong() };
        if mailbox.password.as_bytes() != password {
            return wrong();
        }
        if !mailbox.imap {
            return no("[NOPERM] IMAP is switched off for this account");
        }
        self.user = Some((*id, mailbox.epoch));
        Ok(format!("[CAPABILITY {}] welcome", self.capabilities_in(world)))
    }

    /// SASL PLAIN (RFC 4616), with or without the initial response (RFC 4959).
    async fn authenticate(&mut self, command: &Command, wire: &mut Wire) -> io::Result<Outcome> {
        let response = match command.args.as_slice() {
            [mechanism] if mechanism.word().as_deref() == Some("PLAIN") => {
                let mut out = Out::default();
                out.line("+ ");
                wire.send(out).await?;
                let Some(line) = wire.line().await? else { return Ok(Err(Refusal::Drop)) };
                line
            }
            [mechanism, Arg::Atom(initial)] if mechanism.word().as_deref() == Some("PLAIN") => {
                initial.clone().into_bytes()
            }
            _ => return Ok(no("[CANNOT] only PLAIN is offered")),
        };
        let Ok(decoded) = STANDARD.decode(response) else { return Ok(bad("this is no base64")) };
        let mut parts = decoded.split(|b| *b == 0);
        let (Some(authzid), Some(user), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Ok(bad("PLAIN has three parts"));
        };
        let Ok(user_text) = std::str::from_utf8(user) else { return Ok(bad("the name is no UTF-8")) };
        if !authzid.is_empty() && !authzid.eq_ignore_ascii_case(user) {
            return Ok(no("[AUTHORIZATIONFAILED] nobody may act for others here"));
        }
        let shared = Arc::clone(&self.shared);
        let mut world = shared.lock();
        Ok(self.login(&mut world, user_text, password))
    }

    async fn idle(&mut self, wire: &mut Wire) -> io::Result<Outcome> {
        let shared = Arc::clone(&self.shared);
        let mut changes = shared.changes.subscribe();
        if self.user.is_none() {
            return Ok(bad("log in first"));
        }
        let mut out = Out::default();
        out.line("+ idling");
        wire.send(out).await?;
        loop {
            let mut out = Out::default();
            let told = self.tell_changes(&mut shared.lock(), true, &mut out);
            if !out.is_empty() {
                wire.send(out).await?;
            }
            if let Err(refusal) = told {
                return Ok(Err(refusal));
            }
            tokio::select! {
                line = wire.line() => return Ok(match line? {
                    Some(line) if line.eq_ignore_ascii_case(b"DONE") => Ok("done".to_owned()),
                    Some(_) => bad("DONE was expected"),
                    None => Err(Refusal::Drop),
                }),
                _ = changes.changed() => {}
            }
        }
    }

    fn enable(&mut self, args: &[Arg], out: &mut Out) -> Outcome {
        let condstore = args.iter().any(|a| a.word().as_deref() == Some("CONDSTORE"));
        self.condstore |= condstore;
        out.line(if condstore { "* ENABLED CONDSTORE" } else { "* ENABLED" });
        Ok("done".to_owned())
    }

    /// Faults that hit a verb.
    fn injected(&self, world: &mut World, verb: &str) -> Result<(), Refusal> {
        let Some(service) = world.services.get_mut(&self.service) else { return Ok(()) };
        for fault in &mut service.faults {
            if let Fault::Refuse { verb: hit, words, times } = fault
                && hit == verb
                && *times > 0
            {
                *times -= 1;
                return no(words.clone());
            }
        }
        Ok(())
    }

    fn capabilities(&self) -> String {
        self.capabilities_in(&self.shared.lock())
    }

    fn capabilities_in(&self, world: &World) -> String {
        let without = world.services.get(&self.service).map(|s| &s.behaviour.without);
        let offered = CAPABILITIES.iter().filter(|c| without.is_none_or(|w| !w.contains(**c)));
        offered.copied().collect::<Vec<_>>().join(" ")
    }

    fn literal_limit(&self) -> u64 {
        if self.user.is_none() {
            return SMALL;
        }
        let world = self.shared.lock();
        world.services.get(&self.service).and_then(|s| s.behaviour.append_limit).unwrap_or(u64::MAX)
    }
}
