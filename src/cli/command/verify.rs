//! `rehome verify`: proves that all mail is there and that DNS is right. Changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::{StreamExt as _, stream};

use super::journal;
use crate::{
    apply::Mail as _,
    cli::{
        args::{Format, LookArgs, VerifyWhat},
        context::Context,
        failure::Failure,
        interrupt::Interrupt,
        mail::{Asked, Mailman},
        names::Names,
        runner::{LOGIN_REFUSED, exit_of_findings},
        screen::Screen,
    },
    diag::{self, Exit, Finding, Severity, moment},
    model::{AclChoice, Address, Inventory, MailWork, ObjectClass, PlatformId, State},
    observe,
    provider::{ErrorClass, Reader},
    report::{self, Checked},
    spec::{Presence, Spec},
};

/// How many mailboxes are compared at the same time.
const PARALLEL: usize = 4;

/// What was typed: `verify dns SPEC` is `verify SPEC --what dns`, and of `verify SPEC` both are verified. A word alone is a
/// spec where there is one of that name: what is called `mail` in somebody's repository goes on to be found.
pub(super) fn asked(context: &Context, words: &[PathBuf], what: VerifyWhat) -> Result<(PathBuf, VerifyWhat), Failure> {
    let named = |word: &PathBuf| match word.to_str() {
        Some("dns") => Some(VerifyWhat::Dns),
        Some("mail") => Some(VerifyWhat::Mail),
        _ => None,
    };
    let usual = || PathBuf::from(context.env.get("REHOME_SPEC").unwrap_or_else(|| ".".to_owned()));
    let invalid = |message: String| Failure::new(Exit::Invalid, message).help("rehome verify [mail|dns] [SPEC]");
    let first = words.first().and_then(|word| Some((word, named(word)?)));
    let (path, word) = match (first, words) {
        (Some((path, _)), [_]) if path.exists() => (path.clone(), None),
        (Some((_, word)), [_]) => (usual(), Some(word)),
        (Some((_, word)), [_, path]) => (path.clone(), Some(word)),
        (None, [path]) => (path.clone(), None),
        (None, []) => (usual(), None),
        _ => return Err(invalid("more than one spec is named".to_owned())),
    };
    match word {
        Some(word) if what != VerifyWhat::All && what != word => {
            Err(invalid("what to verify is said twice, and differently".to_owned()))
        }
        Some(word) => Ok((path, word)),
        None => Ok((path, what)),
    }
}

/// Compares mailboxes and asks DNS.
pub(super) async fn run(
    context: &Context,
    path: &Path,
    what: VerifyWhat,
    accounts: &[String],
) -> Result<Exit, Failure> {
    let spec = context.load(path)?;
    let only = chosen(&spec, accounts)?;
    let readers = context.readers(&spec)?;
    let look = LookArgs { no_logins: true, no_dns: true };
    let inventory = context.observe(&spec, &readers, &look).await?;
    let mut checked = Vec::new();
    if what != VerifyWhat::Dns {
        checked.extend(mail(context, path, &spec, &inventory, &only).await?);
    }
    if what != VerifyWhat::Mail && only.is_empty() {
        checked.extend(names(context, &spec, &readers).await?);
    }
    let text = match context.global.format {
        Format::Json => {
            format!("{}\n", serde_json::to_string_pretty(&report::findings_json(&checked)).unwrap_or_default())
        }
        Format::Markdown => report::findings_markdown(&checked),
        Format::Human | Format::Html => report::findings_text(&checked, &context.looks()),
    };
    context.answer(&text)?;
    Ok(exit_of_findings(checked.iter().flat_map(|c| &c.findings)))
}

fn chosen(spec: &Spec, accounts: &[String]) -> Result<BTreeSet<Address>, Failure> {
    let mut out = BTreeSet::new();
    for text in accounts {
        let address = Address::parse(text).map_err(|e| Failure::new(Exit::Invalid, e.to_string()))?;
        if !spec.accounts.contains_key(&address) {
            return Err(Failure::new(Exit::Invalid, format!("the spec has no account {address}")));
        }
        out.insert(address);
    }
    Ok(out)
}

async fn mail(
    context: &Context,
    path: &Path,
    spec: &Spec,
    inventory: &Inventory,
    only: &BTreeSet<Address>,
) -> Result<Vec<Checked>, Failure> {
    let wanted = |address: &&Address| only.is_empty() || only.contains(*address);
    let moved: Vec<&Address> = spec.accounts.keys().filter(wanted).filter(|a| spec.migration_of(a).is_some()).collect();
    if moved.is_empty() {
        return Ok(Vec::new());
    }
    let journal = journal::open(context, path)?;
    let state = journal.state()?;
    let screen = Arc::new(Screen::open(&context.global)?);
    let interrupt = Interrupt::listen();
    let man = Mailman::new(context, spec, inventory, &journal, &screen, &interrupt, Asked::Spec);
    let found: Vec<Checked> = stream::iter(moved)
        .map(|address| async {
            let findings = match deleted_since(spec, inventory, &state, address) {
                Some(proof) => vec![proof],
                None => one(&man, spec, inventory, address).await,
            };
            Checked::new(address.unicode(), findings)
        })
        .buffered(PARALLEL)
        .collect()
        .await;
    match interrupt.exit() {
        Some(exit) => Err(Failure::new(exit, "interrupted; nothing was changed")),
        None => Ok(found),
    }
}

/// The proof of an account whose source is gone, because the plan deleted it once everything was proved to be at the
/// target. There is nothing left to compare with, and the journal has what was compared.
fn deleted_since(spec: &Spec, inventory: &Inventory, state: &State, address: &Address) -> Option<Finding> {
    let migration = spec.migration_of(address)?;
    let known = state.mailboxes.get(address)?;
    let (platform, source) = known.source.as_ref().filter(|(platform, _)| *platform == migration.from)?;
    let proof = known.verified.as_ref()?;
    let target = inventory.platforms.get(&spec.domains.get(address.domain())?.platform)?;
    let view = inventory.platforms.get(platform)?;
    let provisional = migration.provisional_address(address).ok()?;
    let remains = [source, address, &provisional].into_iter().any(|name| view.accounts.contains_key(name));
    if remains || !view.complete(ObjectClass::Account) || !target.accounts.contains_key(address) {
        return None;
    }
    Some(Finding {
        code: "mail-proved-before".to_owned(),
        severity: Severity::Ok,
        subject: address.to_string(),
        message: format!(
            "all {} messages were there, byte for byte, on {}; {source} was deleted on {platform} since",
            proof.messages,
            moment(proof.at)
        ),
        expected: None,
        actual: None,
        fix: None,
    })
}

async fn one(man: &Mailman<'_>, spec: &Spec, inventory: &Inventory, address: &Address) -> Vec<Finding> {
    let unknown = |message: String, fix: Option<String>| Finding {
        code: "mail-not-compared".to_owned(),
        severity: Severity::Unknown,
        subject: address.to_string(),
        message,
        expected: None,
        actual: None,
        fix,
    };
    let source = observe::source_of(spec, inventory, address);
    let target = observe::target_of(spec, inventory, address);
    let (Some(source), Some(target)) = (source, target) else {
        return vec![unknown(
            "it is not on both platforms, or the spec gives no way to open it".to_owned(),
            Some("see `rehome plan`".to_owned()),
        )];
    };
    let filter = spec.accounts.get(address).map(|a| a.mail.filter.clone()).unwrap_or_default().into();
    let work = MailWork {
        account: address.clone(),
        source,
        target,
        pass: 0,
        skip_below: None,
        filter,
        acl: AclChoice::Leave,
        estimate: None,
    };
    match man.verify(&work).await {
        Err(error) => {
            let mut finding = unknown(diag::chain(&error).join(": "), error.help.clone());
            if error.class == ErrorClass::Denied {
                LOGIN_REFUSED.clone_into(&mut finding.code);
            }
            vec![finding]
        }
        Ok(result) => {
            let mut findings = result.findings;
            if let Some(proof) = result.verified {
                findings.push(Finding {
                    code: "mail-equal".to_owned(),
                    severity: Severity::Ok,
                    subject: address.to_string(),
                    message: format!("all {} messages are there, byte for byte", proof.messages),
                    expected: None,
                    actual: None,
                    fix: None,
                });
            }
            findings
        }
    }
}

async fn names(
    context: &Context,
    spec: &Spec,
    readers: &BTreeMap<PlatformId, Arc<dyn Reader>>,
) -> Result<Vec<Checked>, Failure> {
    let (servers, ports) = (context.dns_servers()?, context.ports());
    let names = Names { spec, readers, servers, ports, writers: BTreeMap::new(), post: None };
    let mut checked = Vec::new();
    for (domain, wish) in spec.domains.iter().filter(|(_, d)| d.state == Presence::Present) {
        if !wish.dns.verify.is_empty() {
            let (findings, basis) = names.check_thoroughly(&wish.platform, domain, &wish.dns.verify).await;
            checked.push(Checked::new(format!("DNS of {}", domain.both()), findings).with_basis(basis));
        }
    }
    Ok(checked)
}
