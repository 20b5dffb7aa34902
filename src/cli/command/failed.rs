//! `rehome failed list|show|retry|ignore`: messages that could not be copied.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use jiff::Timestamp;
use serde_json::json;

use super::{copy, journal::open};
use crate::{
    cli::{
        args::{FailedCommand, Format, FromArgs, LookArgs, Select},
        context::Context,
        failure::Failure,
        mail,
    },
    copy::lasting_failure,
    diag::{self, Exit, moment, size},
    imap::{Connector, Fetched, Reader},
    journal::{
        Journal,
        ledger::{Decision, FailureKey, Ledger, Owner, Registered},
    },
    model::{Address, FolderPath},
    observe,
};

/// How much of a message is shown: its header is rarely longer.
const HEADER: u64 = 64 << 10;

/// Runs one of the commands about failed messages.
pub(super) async fn run(context: &Context, command: FailedCommand) -> Result<Exit, Failure> {
    match command {
        FailedCommand::List { spec, account, csv } => list(context, &spec.spec, account.as_deref(), csv.as_deref()),
        FailedCommand::Show { select, from } => show(context, &select, &from).await,
        FailedCommand::Retry(select) => decide(context, &select, &Decision::Retry),
        FailedCommand::Ignore { select, reason } => {
            let reason = reason.trim().to_owned();
            if reason.is_empty() {
                return Err(Failure::new(Exit::Invalid, "--reason is empty")
                    .help("say why it may stay behind: whoever reads the report wants to know"));
            }
            decide(context, &select, &Decision::Ignore(reason))
        }
    }
}

fn failures(context: &Context, spec: &Path) -> Result<Vec<(Owner, Registered)>, Failure> {
    let journal = open(context, spec)?;
    Ok(Ledger::new(journal.db()).failures()?)
}

/// What will become of a message, in one word for programs.
fn fate(row: &Registered) -> &'static str {
    match &row.decision {
        Some(Decision::Ignore(_)) => "ignored",
        Some(Decision::Retry) => "retry",
        None if lasting_failure(&row.failure.class) => "held",
        None => "tried-again",
    }
}

fn note(row: &Registered) -> &str {
    match &row.decision {
        Some(Decision::Ignore(reason)) => reason,
        _ => "",
    }
}

fn date(row: &Registered) -> Option<Timestamp> {
    row.failure.date.and_then(|s| Timestamp::from_second(s).ok())
}

fn list(context: &Context, spec: &Path, account: Option<&str>, csv: Option<&Path>) -> Result<Exit, Failure> {
    let mut rows = failures(context, spec)?;
    if let Some(account) = account {
        let key = parse(account)?.key();
        rows.retain(|(owner, _)| owner.account == key);
    }
    if let Some(file) = csv {
        let table = table(&rows).map_err(|e| Failure::caused(Exit::Failed, "cannot write the table", &e))?;
        if file == Path::new("-") {
            context.answer(&table)?;
        } else {
            fs::write(file, table)
                .map_err(|e| Failure::caused(Exit::Failed, format!("cannot write {}", file.display()), &e))?;
        }
        return Ok(Exit::Ok);
    }
    if context.global.format == Format::Json {
        let rows: Vec<_> = rows.iter().map(|(owner, row)| as_json(owner, row)).collect();
        context.answer(&format!("{}\n", serde_json::to_string_pretty(&rows).unwrap_or_default()))?;
        return Ok(Exit::Ok);
    }
    context.answer(&text(&rows))?;
    Ok(Exit::Ok)
}

fn parse(account: &str) -> Result<Address, Failure> {
    Address::parse(account).map_err(|e| Failure::new(Exit::Invalid, e.to_string()))
}

fn as_json(owner: &Owner, row: &Registered) -> serde_json::Value {
    let f = &row.failure;
    json!({
        "account": owner.account, "platform": owner.platform, "folder": row.folder.to_string(),
        "uid_validity": f.uid_validity, "uid": f.uid, "class": f.class, "reason": f.reason, "octets": f.octets,
        "date": date(row), "append_limit": f.append_limit, "first": row.first, "last": row.last,
        "attempts": row.attempts, "fate": fate(row), "note": note(row),
    })
}

fn table(rows: &[(Owner, Registered)]) -> Result<String, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record([
        "account",
        "platform",
        "folder",
        "uid_validity",
        "uid",
        "class",
        "reason",
        "octets",
        "date",
        "first",
        "last",
        "attempts",
        "fate",
        "note",
    ])?;
    for (owner, row) in rows {
        let f = &row.failure;
        out.write_record([
            owner.account.clone(),
            owner.platform.to_string(),
            harmless(&row.folder.to_string()),
            f.uid_validity.to_string(),
            f.uid.to_string(),
            f.class.clone(),
            harmless(&f.reason),
            f.octets.to_string(),
            date(row).map(|d| d.to_string()).unwrap_or_default(),
            row.first.to_string(),
            row.last.to_string(),
            row.attempts.to_string(),
            fate(row).to_owned(),
            harmless(note(row)),
        ])?;
    }
    let bytes = out.into_inner().map_err(|e| csv::Error::from(e.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A server's words must not become a formula where a table is opened.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

fn text(rows: &[(Owner, Registered)]) -> String {
    if rows.is_empty() {
        return "No message failed.\n".to_owned();
    }
    let mut out = String::new();
    let mut last: Option<&Owner> = None;
    for (owner, row) in rows {
        if last != Some(owner) {
            let n = rows.iter().filter(|(o, _)| o == owner).count();
            let gap = if last.is_some() { "\n" } else { "" };
            out.push_str(&format!("{gap}{} from {}: {n} failed\n", owner.account, owner.platform));
            last = Some(owner);
        }
        out.push_str(&entry(row));
    }
    let held = rows.iter().filter(|(_, row)| fate(row) == "held").count();
    if held > 0 {
        out.push_str(&format!(
            "\n{held} held. To try again: rehome failed retry ADDRESS. To leave behind: rehome failed ignore ADDRESS --reason TEXT\n"
        ));
    }
    out
}

fn entry(row: &Registered) -> String {
    let f = &row.failure;
    let day = date(row).map(|d| d.strftime(", of %Y-%m-%d").to_string()).unwrap_or_default();
    let times = if row.attempts == 1 { "once".to_owned() } else { format!("{} times", row.attempts) };
    let fate = match fate(row) {
        "held" => "held: it would fail again".to_owned(),
        "retry" => "the next run tries it again".to_owned(),
        "ignored" => format!("ignored: {}", note(row)),
        _ => "every run tries it again".to_owned(),
    };
    let line = format!(
        "  {} UID {}  {}, {}{day}, tried {times} since {}\n      {}\n      {fate}\n",
        row.folder,
        f.uid,
        f.class,
        size(f.octets),
        moment(row.first),
        f.reason
    );
    printable(&line)
}

/// What a server or a message says must not command a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect()
}

fn chosen(context: &Context, select: &Select) -> Result<Vec<(Owner, Registered)>, Failure> {
    let account = parse(&select.account)?.key();
    let mut rows = failures(context, &select.spec)?;
    rows.retain(|(owner, row)| {
        owner.account == account
            && select.folder.as_ref().is_none_or(|folder| row.folder.to_string() == *folder)
            && (select.uid.is_empty() || select.uid.contains(&row.failure.uid))
            && select.class.as_ref().is_none_or(|class| row.failure.class == *class)
    });
    if rows.is_empty() {
        return Err(Failure::new(Exit::Invalid, format!("no failed message of {account} is like that"))
            .help("`rehome failed list` shows them all"));
    }
    Ok(rows)
}

fn decide(context: &Context, select: &Select, decision: &Decision) -> Result<Exit, Failure> {
    let rows = chosen(context, select)?;
    let journal = Journal::open(&context.workspace(&select.spec))?;
    let lease = journal.acquire_lease(&context.actor(), Duration::from_secs(30))?;
    let ledger = Ledger::new(journal.db());
    let owners: BTreeSet<&Owner> = rows.iter().map(|(owner, _)| owner).collect();
    let mut n = 0;
    for owner in owners {
        let of_owner = rows.iter().filter(|(o, _)| o == owner);
        let keys: Vec<FailureKey> =
            of_owner.map(|(_, r)| (r.folder.clone(), r.failure.uid_validity, r.failure.uid)).collect();
        n += ledger.decide(owner, &keys, decision)?;
    }
    lease.release()?;
    let messages = if n == 1 { "1 message".to_owned() } else { format!("{n} messages") };
    let text = match decision {
        Decision::Retry => format!("{messages} will be tried again by the next run.\n"),
        Decision::Ignore(reason) => format!("{messages} will be left out and counted as ignored: {reason}\n"),
    };
    context.answer(&text)?;
    Ok(Exit::Ok)
}

async fn show(context: &Context, select: &Select, from: &FromArgs) -> Result<Exit, Failure> {
    let rows = chosen(context, select)?;
    let [(owner, row)] = rows.as_slice() else {
        return Err(Failure::new(Exit::Invalid, format!("{} failed messages are like that", rows.len()))
            .help("name one by --folder and --uid"));
    };
    // What was typed wrongly is told as such; what then goes wrong with the server stands below the message.
    let connector = match copy::way_in(context, from)? {
        Some(connector) => Ok(connector),
        None => way_of_spec(context, select, owner).await,
    };
    let header = match connector {
        Ok(connector) => header(&connector, row).await,
        Err(why) => Err(why),
    };
    if context.global.format == Format::Json {
        let mut value = as_json(owner, row);
        if let Some(map) = value.as_object_mut() {
            map.insert("header".to_owned(), json!(header.as_ref().ok()));
            map.insert("header_problem".to_owned(), json!(header.as_ref().err()));
        }
        context.answer(&format!("{}\n", serde_json::to_string_pretty(&value).unwrap_or_default()))?;
        return Ok(Exit::Ok);
    }
    let shown = match header {
        Ok(header) => format!("\n{}", printable(&header)),
        Err(why) => format!("\nIts header cannot be read from the source: {why}\n"),
    };
    context.answer(&format!("{} from {}\n{}{shown}", owner.account, owner.platform, entry(row)))?;
    Ok(Exit::Ok)
}

/// The way into the source, as the spec tells it; the text says why there is none.
async fn way_of_spec(context: &Context, select: &Select, owner: &Owner) -> Result<Connector, String> {
    let words = |f: Failure| f.errors.join(": ");
    let spec = context.load(&select.spec).map_err(|_| {
        "there is no spec that tells how it is opened; name the source by --from and --from-password".to_owned()
    })?;
    let readers = context.readers(&spec).map_err(words)?;
    let look = LookArgs { no_logins: true, no_dns: true };
    let inventory = context.observe(&spec, &readers, &look).await.map_err(words)?;
    let account = Address::parse(&owner.account).map_err(|e| e.to_string())?;
    let source = observe::source_of(&spec, &inventory, &account)
        .filter(|source| source.platform == owner.platform)
        .ok_or("the spec gives no way to open it")?;
    mail::connector(context, &spec, &inventory, &source).map_err(|e| diag::chain(&e).join(": "))
}

/// The header as the source has it; the text says why it cannot be had.
async fn header(connector: &Connector, row: &Registered) -> Result<String, String> {
    let mut reader = connector.connect().await.map_err(|e| diag::chain(&e).join(": "))?;
    let text = read_header(&mut reader, &row.folder, row.failure.uid_validity, row.failure.uid).await;
    reader.logout().await;
    text
}

async fn read_header(reader: &mut Reader, folder: &FolderPath, validity: u32, uid: u32) -> Result<String, String> {
    use std::io::Read as _;
    let failed = |e: crate::imap::ImapError| diag::chain(&e).join(": ");
    let listed = reader.list().await.map_err(failed)?;
    let place = listed.iter().find(|f| f.path == *folder).ok_or("the folder is gone")?;
    let opened = reader.examine(&place.name).await.map_err(failed)?;
    if opened.uid_validity != validity {
        return Err("the folder was renumbered since".to_owned());
    }
    let mut bodies = reader.fetch_bodies(&[uid]).map_err(failed)?;
    match bodies.next().await.map_err(failed)? {
        Some(Fetched::Message(message)) => {
            let mut bytes = Vec::new();
            message.body.reader().take(HEADER).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
            let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
            Ok(text.split_once("\n\n").map_or(text.as_str(), |(header, _)| header).to_owned() + "\n")
        }
        Some(Fetched::Failed { error, .. }) => Err(error.kind.to_string()),
        Some(Fetched::Gone(_)) | None => Err("the message is gone".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_words_are_no_formula_and_command_no_terminal() {
        assert_eq!(harmless("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(harmless("too large"), "too large");
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a[2Jb\nc");
    }
}
