//! `rehome report`: the record of a run, and what its users need to set up their mail programs again.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::journal;
use crate::{
    cli::{
        args::{Format, ReportArgs},
        context::Context,
        failure::{Failure, exit_of},
        runner, saved,
    },
    diag::{Exit, plural},
    journal::{
        Entry, Journal, Progress, Run,
        ledger::{Ledger, Owner, Registered},
    },
    model::{ActionId, Address, CopyCounts, Domain, FolderPath, PlatformId, RunId, State},
    plan::Plan,
    provider::submission_of,
    report::{self, Handover, MailServers, User},
    spec::Spec,
};

/// Tells what a run did; with a folder, for everybody whom it concerns.
pub(super) async fn run(context: &Context, args: ReportArgs) -> Result<Exit, Failure> {
    let path = args.spec.as_path();
    let known = Known::read(&journal::open(context, path)?, args.run)?;
    let Some(folder) = args.out.as_deref() else {
        context.answer(&match context.global.format {
            Format::Html => report::handover_html(&known.handover()),
            Format::Json => format!("{}\n", serde_json::to_string_pretty(&known.json()).unwrap_or_default()),
            Format::Human | Format::Markdown => report::handover_markdown(&known.handover()),
        })?;
        return Ok(Exit::Ok);
    };
    let mut files = Files { folder, written: Vec::new() };
    files.write(Path::new("record.html"), &report::handover_html(&known.handover()))?;
    files.write(Path::new("record.md"), &report::handover_markdown(&known.handover()))?;
    let mut told = 0;
    let mut gaps = Vec::new();
    if !args.record_only {
        (told, gaps) = users(context, &context.load(path)?, &known, &mut files).await?;
    }
    answer(context, &files, told, &gaps)?;
    Ok(Exit::Ok)
}

/// What journal and ledger know of a run.
struct Known {
    run: Run,
    plan: Plan,
    entries: Vec<Entry>,
    progress: BTreeMap<ActionId, Progress>,
    state: State,
    folders: BTreeMap<Address, BTreeMap<FolderPath, CopyCounts>>,
    failures: BTreeMap<Address, Vec<Registered>>,
    digest: String,
}

impl Known {
    fn read(journal: &Journal, name: Option<String>) -> Result<Self, Failure> {
        let runs = journal.runs()?;
        let run = match name {
            None => runs.into_iter().next_back().ok_or_else(|| {
                Failure::new(Exit::Failed, "the journal has no runs yet").help("`rehome apply` makes one")
            })?,
            Some(name) => runs.into_iter().find(|run| run.id == RunId(name.clone())).ok_or_else(|| {
                Failure::new(Exit::Invalid, format!("there is no run {name}")).help("`rehome journal log` lists them")
            })?,
        };
        let ledger = Ledger::new(journal.db());
        let state = journal.state()?;
        let (mut folders, mut failures) = (BTreeMap::new(), BTreeMap::new());
        for (address, mailbox) in &state.mailboxes {
            let Some((platform, _)) = &mailbox.source else { continue };
            let owner = Owner { account: address.key(), platform: platform.clone() };
            folders.insert(address.clone(), ledger.folder_sums(&owner)?);
            failures.insert(address.clone(), ledger.failures_of(address, platform)?);
        }
        Ok(Self {
            plan: runner::saved_plan(journal, &run.id)?,
            entries: journal.entries(&run.id)?,
            progress: journal.progress(&run.id)?,
            digest: journal.digest(&run.id)?,
            state,
            folders,
            failures,
            run,
        })
    }

    fn handover(&self) -> Handover<'_> {
        Handover {
            plan: &self.plan,
            run: &self.run,
            entries: &self.entries,
            progress: &self.progress,
            state: &self.state,
            folders: &self.folders,
            failures: &self.failures,
            digest: &self.digest,
        }
    }

    fn json(&self) -> serde_json::Value {
        let run = &self.run;
        let mailboxes: Vec<_> = self
            .state
            .mailboxes
            .iter()
            .map(|(address, m)| {
                let proof = m.verified.as_ref().map(|v| json!({ "at": v.at, "messages": v.messages }));
                let source = m.source.as_ref().map(|(platform, a)| json!({ "platform": platform, "address": a }));
                json!({ "address": address, "source": source, "passes": m.passes, "counts": m.counts, "verified": proof })
            })
            .collect();
        json!({
            "run": run.id, "plan": run.plan, "started": run.started, "ended": run.ended, "exit": run.exit,
            "digest": self.digest, "entries": self.entries.len(), "mailboxes": mailboxes, "notes": self.plan.body.notes,
        })
    }
}

/// Pages and settings for everybody who has a new mailbox. Gives how many there are, and what is missing.
async fn users(
    context: &Context,
    spec: &Spec,
    known: &Known,
    files: &mut Files<'_>,
) -> Result<(usize, Vec<String>), Failure> {
    let handover = known.handover();
    let moved = handover.moved();
    let mut gaps = Vec::new();
    if moved.is_empty() {
        return Ok((0, gaps));
    }
    let servers = servers(context, spec, &moved).await?;
    let mut domains: BTreeMap<&Domain, &MailServers> = BTreeMap::new();
    for address in &moved {
        let platform = spec.domains.get(address.domain()).map(|d| &d.platform);
        let Some(servers) = platform.and_then(|p| servers.get(p)) else {
            gaps.push(format!("{} is not in the spec any more", address.unicode()));
            continue;
        };
        domains.insert(address.domain(), servers);
        let name = spec.accounts.get(address).and_then(|a| a.profile.display_name.clone());
        let user = User { address: address.clone(), name, servers: servers.clone() };
        let place = Path::new("users").join(file_name(address));
        files.write(&place.join("index.html"), &report::user_page(&handover, &user))?;
        if let Some(profile) = report::apple_profile(&user) {
            files.write(&place.join("mail.mobileconfig"), &profile)?;
        }
    }
    for (domain, servers) in domains {
        match report::autoconfig(domain, servers) {
            Some(text) => {
                let place = Path::new("autoconfig").join(domain.as_str()).join("mail/config-v1.1.xml");
                files.write(&place, &text)?;
            }
            None => gaps.push(format!(
                "{}: nobody but its operator knows which server of {} takes mail, so there are no settings for programs",
                domain.unicode(),
                servers.imap.host
            )),
        }
    }
    Ok((moved.len(), gaps))
}

/// The servers of the platforms that these accounts are on.
async fn servers(
    context: &Context,
    spec: &Spec,
    moved: &[Address],
) -> Result<BTreeMap<PlatformId, MailServers>, Failure> {
    let readers = context.readers_for_users(spec)?;
    let mut out = BTreeMap::new();
    for platform in moved.iter().filter_map(|a| Some(&spec.domains.get(a.domain())?.platform)) {
        let Some(reader) = readers.get(platform).filter(|_| !out.contains_key(platform)) else { continue };
        let imap = reader.imap_endpoint().await.map_err(|error| {
            let exit = exit_of(error.class);
            Failure::caused(exit, format!("cannot learn where mail programs connect on {platform}"), &error)
                .help("`--record-only` writes the record without asking any platform")
        })?;
        let smtp = submission_of(reader.kind(), &imap);
        out.insert(platform.clone(), MailServers { imap, smtp });
    }
    Ok(out)
}

/// An address as the name of a folder: whatever else a local part may hold is `%xx`.
fn file_name(address: &Address) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+' | b'@');
    let octet = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    address.key().bytes().map(octet).collect()
}

/// The files below a folder.
struct Files<'a> {
    folder: &'a Path,
    written: Vec<PathBuf>,
}

impl Files<'_> {
    fn write(&mut self, name: &Path, text: &str) -> Result<(), Failure> {
        let path = self.folder.join(name);
        let failed = |e: &std::io::Error| Failure::caused(Exit::Failed, format!("cannot write {}", path.display()), e);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| failed(&e))?;
        }
        saved::replace(&path, text.as_bytes()).map_err(|e| failed(&e))?;
        self.written.push(name.to_owned());
        Ok(())
    }
}

fn answer(context: &Context, files: &Files<'_>, users: usize, gaps: &[String]) -> Result<(), Failure> {
    let folder = files.folder.display();
    if context.global.format == Format::Json {
        let document = json!({ "folder": files.folder, "files": files.written, "users": users, "gaps": gaps });
        return context.answer(&format!("{}\n", serde_json::to_string_pretty(&document).unwrap_or_default()));
    }
    let mut out = format!("The record is in {folder}/record.html and {folder}/record.md.\n");
    if users > 0 {
        out.push_str(&format!(
            "{} with the settings of the new mailboxes below {folder}/users, for mail programs below \
             {folder}/autoconfig.\n",
            plural(users, "page")
        ));
    }
    for gap in gaps {
        out.push_str(&format!("  {gap}\n"));
    }
    context.answer(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_leads_out_of_its_folder() {
        let name = |text: &str| file_name(&Address::parse(text).unwrap());
        assert_eq!(name("John.Smith+a@blue.example"), "john.smith+a@blue.example");
        assert_eq!(name("a/../b@blue.example".replace("..", "x").as_str()), "a%2Fx%2Fb@blue.example");
    }
}
