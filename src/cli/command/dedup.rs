//! `rehome dedup`: messages that a folder holds more than once.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::copy::{Side, Way, address, side};
use crate::{
    cli::{
        args::{DedupArgs, Format, LookArgs},
        context::Context,
        failure::{Failure, exit_of},
        interrupt::Interrupt,
        mail,
    },
    copy::dedup::{
        DedupError, DedupRequest, FolderDoubles, Group, One, Survey, Transferred, bring_back, set_aside, survey,
    },
    diag::{self, Exit, plural, size},
    imap::{Connector, ImapErrorKind},
    journal::{
        Journal,
        ledger::{DoubleState, Ledger},
    },
    model::{Address, Digest, MailFilter},
    observe,
};

/// A shorter id could be that of another plan.
const SHORTEST: usize = 12;
/// Groups of a folder that are shown to people.
const SHOWN: usize = 20;
/// UIDs of a group that are shown to people.
const NAMED: usize = 8;
/// How long the workspace is held without a sign of life.
const LEASE: Duration = Duration::from_secs(30);

/// The mailbox that is looked through.
struct Mailbox {
    account: Address,
    connector: Connector,
    workspace: PathBuf,
}

/// Shows doubles, sets them aside, or brings them back.
pub(super) async fn run(context: &Context, args: &DedupArgs) -> Result<Exit, Failure> {
    let filter = MailFilter { include: args.folder.clone(), exclude: args.exclude.clone(), ..MailFilter::default() };
    if let Some(problem) = filter.problems().first() {
        return Err(Failure::new(Exit::Invalid, problem.to_string()));
    }
    let mailbox = match &args.at {
        Some(url) => typed(context, args, url)?,
        None => of_spec(context, args).await?,
    };
    let interrupt = Interrupt::listen();
    if args.restore {
        let done = held(context, &mailbox, &interrupt, async |request| bring_back(&request).await).await?;
        return told(context, &done, "brought back");
    }
    let found = survey(&mailbox.connector, &filter, &interrupt.gentle).await.map_err(|e| failure(&e))?;
    if !args.moves {
        show(context, &mailbox, &found)?;
        return Ok(Exit::Ok);
    }
    let Some(ack) = &args.ack else {
        show(context, &mailbox, &found)?;
        if found.folders.is_empty() {
            return Ok(Exit::Ok);
        }
        return Err(Failure::new(Exit::Guard, "nothing was moved: somebody has to agree to this plan")
            .help(format!("rehome dedup ... --move --ack {}", short(&found.plan()))));
    };
    agreed(&mailbox, &found, ack)?;
    let done = held(context, &mailbox, &interrupt, async |request| set_aside(&request, &found).await).await?;
    told(context, &done, "set aside")
}

fn short(plan: &str) -> &str {
    plan.get(..SHORTEST).unwrap_or(plan)
}

/// Whether somebody agreed to move these doubles: all of the plan, or what a run that was cut off left of it.
fn agreed(mailbox: &Mailbox, found: &Survey, ack: &str) -> Result<(), Failure> {
    if ack.len() < SHORTEST {
        return Err(Failure::new(Exit::Invalid, "--ack takes at least the first 12 digits of a plan's id"));
    }
    if found.plan().starts_with(ack) {
        return Ok(());
    }
    if let Some(journal) = Journal::open_read_only(&mailbox.workspace)? {
        let known = Ledger::new(journal.db()).acknowledged(&mailbox.account, &found.place, ack)?;
        if !known.is_empty() && found.keys().is_subset(&known) {
            return Ok(());
        }
    }
    let message =
        format!("the mailbox holds other doubles than plan {ack} would move: this is plan {}", short(&found.plan()));
    Err(Failure::new(Exit::Stale, message).help("look at the doubles again, without --move"))
}

async fn of_spec(context: &Context, args: &DedupArgs) -> Result<Mailbox, Failure> {
    let text = args.account.as_deref().unwrap_or_default();
    let account = Address::parse(text).map_err(|e| Failure::new(Exit::Invalid, e.to_string()))?;
    let spec = context.load(&args.spec)?;
    if !spec.accounts.contains_key(&account) {
        return Err(Failure::new(Exit::Invalid, format!("the spec has no account {account}"))
            .help("without a spec: rehome dedup --at imaps://USER@HOST --password env:NAME"));
    }
    let readers = context.readers(&spec)?;
    let look = LookArgs { no_logins: true, no_dns: true };
    let inventory = context.observe(&spec, &readers, &look).await?;
    let target = observe::target_of(&spec, &inventory, &account).ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            format!("the spec gives no way to open the mailbox that the mail of {account} goes to"),
        )
        .help("it may not exist yet; or use --at imaps://USER@HOST --password env:NAME")
    })?;
    let connector = mail::connector(context, &spec, &inventory, &target).map_err(|e| {
        let failure = Failure { errors: diag::chain(&e), ..Failure::new(exit_of(e.class), "") };
        match e.help {
            Some(help) => failure.help(help),
            None => failure,
        }
    })?;
    Ok(Mailbox { account, connector, workspace: context.workspace(&args.spec) })
}

fn typed(context: &Context, args: &DedupArgs, url: &str) -> Result<Mailbox, Failure> {
    let way = Way::typed("--", args.password.as_deref(), args.token.as_deref())?;
    let at: Side = side(context, "--at", url, way, args.insecure)?;
    let access = at.access().method();
    let secret = context.env.secret(access.password(), Path::new(".")).map_err(|e| {
        Failure::caused(Exit::Denied, format!("what opens the mailbox of {} cannot be had", at.user), &e)
    })?;
    let account = address(&at)?;
    let plain = context.allow_plain() || args.insecure;
    let connector = observe::connector(&at.endpoint, &access, &account, secret, plain);
    let workspace = args.state.clone().or_else(|| context.global.workspace.clone()).unwrap_or_else(|| {
        let digest = Digest::of(format!("{}@{}", at.user, at.endpoint).as_bytes()).hex();
        Path::new(".rehome").join(format!("dedup-{}", short(&digest)))
    });
    Ok(Mailbox { account, connector, workspace })
}

/// Does something while nobody else can write to the workspace.
async fn held(
    context: &Context,
    mailbox: &Mailbox,
    interrupt: &Interrupt,
    work: impl AsyncFnOnce(DedupRequest<'_>) -> Result<Transferred, DedupError>,
) -> Result<Transferred, Failure> {
    let journal = Journal::open(&mailbox.workspace)?;
    let lease = journal.acquire_lease(&context.actor(), LEASE)?;
    let ledger = Ledger::new(journal.db());
    crate::cli::runner::rehearse_death(context, &ledger)?;
    let request = DedupRequest {
        account: &mailbox.account,
        connector: &mailbox.connector,
        ledger: &ledger,
        settle: context.settle(),
        cancel: interrupt.gentle.clone(),
    };
    let work = work(request);
    tokio::pin!(work);
    let mut heartbeat = tokio::time::interval(LEASE / 3);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            _ = heartbeat.tick() => lease.renew()?,
        }
    };
    // A lease that is lost by now was taken over: what was moved is put down already, or is settled by the next run.
    let _ = lease.release();
    done.map_err(|e| failure(&e))
}

fn failure(error: &DedupError) -> Failure {
    let (exit, help) = match error {
        DedupError::Imap { source, .. } => match &source.kind {
            ImapErrorKind::Auth { .. } => (Exit::Denied, Some("check the password; see docs/passwords.md")),
            _ if source.is_refusal() => (Exit::Failed, None),
            _ => (Exit::Unreachable, Some("run it again: what was begun is looked for first")),
        },
        DedupError::Ledger { .. } => (Exit::Failed, None),
        DedupError::CannotMove { .. } => (Exit::Failed, Some("nothing was changed; the report shows which they are")),
        DedupError::CopyOpen { .. } => (Exit::Failed, Some("run the copy to its end first; nothing was moved")),
        DedupError::Interrupted { .. } => (Exit::Interrupted, Some("run it again: what was begun is looked for first")),
    };
    let failure = Failure { errors: diag::chain(error), ..Failure::new(exit, "") };
    match help {
        Some(help) => failure.help(help),
        None => failure,
    }
}

fn told(context: &Context, done: &Transferred, verb: &str) -> Result<Exit, Failure> {
    if context.global.format == Format::Json {
        context.answer(&format!("{}\n", serde_json::to_string_pretty(done).unwrap_or_default()))?;
    } else {
        let was = if done.moved == 1 { "was" } else { "were" };
        let mut out = format!("{} {was} {verb}.\n", messages(done.moved));
        if done.gone > 0 {
            let _ = writeln!(out, "{} not there any more: somebody took them away.", messages(done.gone));
        }
        done.remarks.iter().for_each(|remark| out.push_str(&format!("  {remark}\n")));
        context.answer(&printable(&out))?;
    }
    Ok(if done.remarks.is_empty() { Exit::Ok } else { Exit::Partial })
}

fn messages(n: u64) -> String {
    plural(usize::try_from(n).unwrap_or(usize::MAX), "message")
}

/// What a server says must not command a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect()
}

fn show(context: &Context, mailbox: &Mailbox, found: &Survey) -> Result<(), Failure> {
    let aside = match Journal::open_read_only(&mailbox.workspace)? {
        Some(journal) => {
            let rows = Ledger::new(journal.db()).doubles(&mailbox.account, Some(&found.place))?;
            let away = |s| matches!(s, DoubleState::Aside | DoubleState::Moving | DoubleState::Returning);
            rows.iter().filter(|(_, d)| away(d.state)).count() as u64
        }
        None => 0,
    };
    if context.global.format == Format::Json {
        let value = json!({
            "account": mailbox.account, "plan": found.plan(), "extra": found.extra(), "octets": found.octets(),
            "aside": aside, "found": found,
        });
        return context.answer(&format!("{}\n", serde_json::to_string_pretty(&value).unwrap_or_default()));
    }
    context.answer(&printable(&text(found, aside)))
}

fn text(found: &Survey, aside: u64) -> String {
    let mut out = String::new();
    for folder in &found.folders {
        let groups = plural(folder.groups.len(), "message");
        let (extra, room) = (folder.extra(), size(folder.octets()));
        let _ = writeln!(out, "{}: {groups} more than once, {extra} extra, {room}", folder.folder);
        folder.groups.iter().take(SHOWN).for_each(|group| out.push_str(&line(group)));
        if folder.groups.len() > SHOWN {
            let _ = writeln!(out, "  and {} more (--format json shows all)", folder.groups.len() - SHOWN);
        }
    }
    let looked = format!("{} looked at in {}", messages(found.messages), found.place);
    let _ = match found.extra() {
        0 => writeln!(out, "No folder holds a message twice. {looked}."),
        n => {
            let folders = plural(found.folders.iter().filter(|f: &&FolderDoubles| f.extra() > 0).count(), "folder");
            let extra = plural(usize::try_from(n).unwrap_or(usize::MAX), "extra message");
            writeln!(out, "\n{extra} in {folders}, {}. {looked}.", size(found.octets()))
        }
    };
    if !found.unread.is_empty() {
        let _ = writeln!(out, "\nNot looked into:");
        found.unread.iter().for_each(|what| out.push_str(&format!("  {what}\n")));
    }
    if aside > 0 {
        let _ = writeln!(out, "\n{} set aside earlier; --restore brings them back.", messages(aside));
    }
    if found.extra() > 0 {
        let plan = found.plan();
        let _ = match &found.obstacle {
            Some(why) => writeln!(out, "\nThey cannot be set aside on this server: {why}."),
            None => writeln!(
                out,
                "\nPlan {0}: one of each stays as it is, the others go below `{1}`.\nTo do it: the same with --move --ack {0}",
                short(&plan),
                crate::copy::dedup::ROOT
            ),
        };
    }
    out
}

fn line(group: &Group) -> String {
    let mut uids: Vec<String> = group.extra.iter().take(NAMED).map(|one: &One| one.uid.to_string()).collect();
    if group.extra.len() > NAMED {
        uids.push(format!("{} more", group.extra.len() - NAMED));
    }
    let differ = match (group.flags_differ, group.dates_differ) {
        (true, true) => "; flags and dates of arrival differ",
        (true, false) => "; flags differ",
        (false, true) => "; dates of arrival differ",
        (false, false) => "",
    };
    format!("  UID {} stays; equal to it: {} ({} each){differ}\n", group.kept.uid, uids.join(", "), size(group.octets))
}
