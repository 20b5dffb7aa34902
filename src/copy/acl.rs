//! The rights that others have on folders: told, or given at the target too.
//!
//! Rights are only ever added, each once: what the owner of the target took away stays away. Whoever a word of the server
//! means (`anyone`, a group) is not the same people on another server, so that only persons get rights; the rest is told.

use std::collections::{BTreeMap, BTreeSet};

use tokio_util::sync::CancellationToken;

use super::{CopyError, CopyErrorClass, Side, mapping::included, store::StoreError};
use crate::{
    imap::{Capabilities, Connector, Granted, ImapError, Reader, WireName, Writer},
    journal::ledger::Ledger,
    model::{AclChoice, Address, FolderPath, MailFilter, PlatformId},
};

/// The rights of RFC 4314 2.1 that every server with RIGHTS= is asked for, without those of RFC 2086 that they replace.
const STANDARD: &str = "lrswipkxtea";

/// Words for more than one person (RFC 4314 2, Dovecot, Cyrus).
const MANY: [&str; 5] = ["anyone", "anonymous", "authenticated", "owner", "administrators"];

/// Whose rights, and between which mailboxes.
pub(super) struct Job<'a> {
    pub(super) account: &'a Address,
    pub(super) source: Connector,
    pub(super) target: Connector,
    pub(super) source_id: (PlatformId, Address),
    pub(super) filter: &'a MailFilter,
    pub(super) ledger: &'a Ledger,
    pub(super) cancel: CancellationToken,
}

/// A folder at both sides.
struct Pair {
    path: FolderPath,
    source: WireName,
    target: String,
}

/// Tells or gives rights, and says what a person should know.
pub(super) async fn run(job: &Job<'_>, choice: AclChoice) -> Result<Vec<String>, CopyError> {
    let at = |side: Side| move |e: ImapError| failed(job, side, e);
    let mut reader = job.source.connect().await.map_err(at(Side::Source))?;
    if !reader.capabilities().acl() {
        reader.logout().await;
        return Ok(vec![
            "the source does not tell the rights of others on folders (it has no ACL, RFC 4314)".to_owned(),
        ]);
    }
    let pairs = pairs(job, &mut reader).await?;
    let from = reader.capabilities().clone();
    let mut shared: Vec<(Pair, Vec<Granted>)> = Vec::new();
    for pair in pairs {
        if job.cancel.is_cancelled() {
            return Err(CopyError::Interrupted { account: job.account.clone() });
        }
        let granted = reader.granted(&pair.source).await.map_err(at(Side::Source))?.unwrap_or_default();
        let others: Vec<Granted> = granted.into_iter().filter(|g| !is_self(job, &g.identifier)).collect();
        if !others.is_empty() {
            shared.push((pair, others));
        }
    }
    reader.logout().await;
    if choice == AclChoice::Report || shared.is_empty() {
        let told = |(pair, others): &(Pair, Vec<Granted>)| {
            format!("`{}` is shared at the source: {}", pair.path, list(others))
        };
        return Ok(shared.iter().map(told).collect());
    }
    let writer = job.target.connect_writer().await.map_err(at(Side::Target))?;
    if !writer.capabilities().acl() {
        let mut out = vec!["the target takes no rights of others on folders (it has no ACL, RFC 4314)".to_owned()];
        out.extend(shared.iter().map(|(pair, others)| format!("`{}` stays unshared: {}", pair.path, list(others))));
        writer.logout().await;
        return Ok(out);
    }
    let given = job.ledger.given_rights(job.account, &job.source_id.0);
    let given = given.map_err(|e| CopyError::Ledger { account: job.account.clone(), source: Box::new(e) })?;
    let mut giver = Giver { job, writer, from, given, remarks: Vec::new() };
    for (pair, others) in &shared {
        giver.folder(pair, others).await?;
    }
    giver.writer.logout().await;
    Ok(giver.remarks)
}

fn failed(job: &Job<'_>, side: Side, error: ImapError) -> CopyError {
    use super::store::StoreErrorKind;
    let StoreError { kind, source } = StoreError::from(error);
    let class = match kind {
        StoreErrorKind::Lost => CopyErrorClass::Unreachable,
        StoreErrorKind::Denied => CopyErrorClass::Denied,
        StoreErrorKind::Later => CopyErrorClass::Later,
        _ => CopyErrorClass::Failed,
    };
    let doing = "looking after the rights of others".to_owned();
    CopyError::Store { side, account: job.account.clone(), doing, class, source }
}

/// The folders that were copied.
async fn pairs(job: &Job<'_>, reader: &mut Reader) -> Result<Vec<Pair>, CopyError> {
    let rows = job.ledger.known_folders(job.account, &job.source_id.0);
    let rows = rows.map_err(|e| CopyError::Ledger { account: job.account.clone(), source: Box::new(e) })?;
    let targets: BTreeMap<FolderPath, String> =
        rows.into_iter().filter(|r| r.target_validity > 0).filter_map(|r| Some((r.path, r.target?))).collect();
    let listed = reader.list().await.map_err(|e| failed(job, Side::Source, e))?;
    let pair = |folder: crate::imap::Listed| {
        let target = targets.get(&folder.path)?.clone();
        let wanted = folder.selectable && included(job.filter, &folder.path);
        wanted.then(|| Pair { path: folder.path.clone(), source: folder.name.clone(), target })
    };
    Ok(listed.into_iter().filter_map(pair).collect())
}

/// Whether that is the mailbox's own user, who has every right at the target anyway.
fn is_self(job: &Job<'_>, identifier: &str) -> bool {
    identifier.eq_ignore_ascii_case(job.source.login.mailbox()) || identifier.eq_ignore_ascii_case("owner")
}

fn list(others: &[Granted]) -> String {
    let one = |g: &Granted| format!("{} ({})", g.identifier, g.rights);
    others.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Whether an identifier means one person, whose login may be the same on another server.
fn is_person(identifier: &str) -> bool {
    let name = identifier.strip_prefix('-').unwrap_or(identifier);
    let many = MANY.iter().any(|word| name.eq_ignore_ascii_case(word));
    !many && !name.starts_with(['$', '#', '!', '&', '@']) && !name.to_ascii_lowercase().starts_with("group:")
}

/// The rights in the letters of RFC 4314: `c` and `d` of RFC 2086 stand for others (RFC 4314 2.1.1), and are only a
/// repetition of those where a server knows both.
fn modern(rights: &str, from: &Capabilities) -> BTreeSet<char> {
    let known = from.rights().is_some();
    let mut out: BTreeSet<char> = rights.chars().filter(|c| !matches!(c, 'c' | 'd')).collect();
    if !known && rights.contains('c') {
        out.insert('k');
    }
    if !known && rights.contains('d') {
        out.extend(['t', 'e']);
    }
    out
}

/// Those rights in the letters of a target, and what it has none for.
fn spoken(rights: &BTreeSet<char>, to: &Capabilities) -> (String, String) {
    let has = to.rights();
    let (mut can, mut cannot) = (BTreeSet::new(), String::new());
    for right in rights {
        match (right, &has) {
            ('k', None) => can.extend(['c']),
            // `d` is both; giving it for one of them would give more than there is.
            ('t' | 'e', None) if rights.contains(&'t') && rights.contains(&'e') => can.extend(['d']),
            ('x' | 't' | 'e', None) => cannot.push(*right),
            (c, _) if STANDARD.contains(*c) => can.extend([*c]),
            (c, Some(more)) if more.contains(*c) => can.extend([*c]),
            (c, _) => cannot.push(*c),
        }
    }
    (can.into_iter().collect(), cannot)
}

struct Giver<'a> {
    job: &'a Job<'a>,
    writer: Writer,
    from: Capabilities,
    given: BTreeMap<(String, String), String>,
    remarks: Vec<String>,
}

impl Giver<'_> {
    /// Gives what the folder's others have at the source. Rights that are taken away come first: where those cannot be set,
    /// nobody gets more than at the source.
    async fn folder(&mut self, pair: &Pair, others: &[Granted]) -> Result<(), CopyError> {
        let name = WireName::encode(&pair.target);
        let Some(before) = self.granted(&name).await? else {
            self.remarks.push(format!(
                "`{}` stays unshared, because the target lets nobody ask: {}",
                pair.path,
                list(others)
            ));
            return Ok(());
        };
        let (takes, gives): (Vec<&Granted>, Vec<&Granted>) = others.iter().partition(|g| g.identifier.starts_with('-'));
        for (at, one) in takes.iter().chain(&gives).enumerate() {
            let done = self.one(pair, &name, one, &before).await?;
            if !done && at < takes.len() {
                let text = format!("`{}` stays unshared, because a denial cannot be set: {}", pair.path, list(others));
                self.remarks.push(text);
                return Ok(());
            }
        }
        Ok(())
    }

    async fn granted(&mut self, name: &WireName) -> Result<Option<Vec<Granted>>, CopyError> {
        self.writer.granted(name).await.map_err(|e| failed(self.job, Side::Target, e))
    }

    /// Whether the target has it now, or had it once by our doing.
    async fn one(
        &mut self,
        pair: &Pair,
        name: &WireName,
        one: &Granted,
        before: &[Granted],
    ) -> Result<bool, CopyError> {
        let who = &one.identifier;
        if !is_person(who) {
            let text =
                format!("`{}`: {who} ({}) may be other people at the target and gets no rights", pair.path, one.rights);
            self.remarks.push(text);
            return Ok(false);
        }
        let (can, cannot) = spoken(&modern(&one.rights, &self.from), self.writer.capabilities());
        if !cannot.is_empty() {
            self.remarks.push(format!("`{}`: the target has no right like {cannot} of {who}", pair.path));
        }
        let key = (pair.target.clone(), who.clone());
        let given = self.given.get(&key).cloned().unwrap_or_default();
        let had = before.iter().find(|g| g.identifier == *who).map(|g| g.rights.as_str()).unwrap_or_default();
        let more: String = can.chars().filter(|c| !given.contains(*c) && !had.contains(*c)).collect();
        if more.is_empty() {
            return Ok(true);
        }
        let wish = Granted { identifier: who.clone(), rights: more.clone() };
        match self.writer.grant(name, &wish).await {
            Ok(()) => {}
            Err(e) if e.is_refusal() => {
                self.remarks
                    .push(format!("`{}`: the target does not give {who} the rights {more}: {}", pair.path, e.kind));
                return Ok(false);
            }
            Err(e) => return Err(failed(self.job, Side::Target, e)),
        }
        let all: BTreeSet<char> = given.chars().chain(more.chars()).collect();
        let put = self.job.ledger.give_rights(
            self.job.account,
            &self.job.source_id.0,
            (&pair.target, who),
            &all.into_iter().collect::<String>(),
        );
        put.map_err(|e| CopyError::Ledger { account: self.job.account.clone(), source: Box::new(e) })?;
        // An OK is a word; what the target tells afterwards is what holds.
        let after = self.granted(name).await?.unwrap_or_default();
        let has = after.iter().find(|g| g.identifier == *who).map(|g| g.rights.as_str()).unwrap_or_default();
        let lacks: String = more.chars().filter(|c| !has.contains(*c)).collect();
        if !lacks.is_empty() {
            self.remarks
                .push(format!("`{}`: the target said OK and does not give {who} the rights {lacks}", pair.path));
        }
        Ok(lacks.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(words: &[&str]) -> Capabilities {
        Capabilities::of(words)
    }

    fn set(rights: &str) -> BTreeSet<char> {
        rights.chars().collect()
    }

    #[test]
    fn letters_of_rfc_2086_stand_for_those_of_rfc_4314() {
        let (old, new) = (server(&["ACL"]), server(&["ACL", "RIGHTS=texk"]));
        assert_eq!(modern("lrcd", &old), set("lrkte"));
        assert_eq!(modern("lrtekxacd", &new), set("lrtekxa"), "a repetition where both are known");
        assert_eq!(spoken(&set("lrkte"), &new), ("eklrt".to_owned(), String::new()));
        assert_eq!(spoken(&set("lrkte"), &old), ("cdlr".to_owned(), String::new()));
        assert_eq!(spoken(&set("lrtx"), &old), ("lr".to_owned(), "tx".to_owned()), "never more than there was");
        assert_eq!(spoken(&set("lrn"), &server(&["ACL", "RIGHTS=texkn"])), ("lnr".to_owned(), String::new()));
        assert_eq!(spoken(&set("lrn"), &new), ("lr".to_owned(), "n".to_owned()));
    }

    #[test]
    fn only_persons_get_rights() {
        for many in ["anyone", "-Anyone", "$staff", "group:staff", "#owner", "authenticated"] {
            assert!(!is_person(many), "{many}");
        }
        assert!(is_person("bob@blue.example") && is_person("-bob"));
    }
}
