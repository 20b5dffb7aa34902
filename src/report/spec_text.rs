//! A spec of what exists, written for people: ordered, commented, and such that a plan made from it is empty.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{
    diag::size,
    model::{
        Address, Capabilities, Domain, GroupSupport, PlatformId, PlatformKind, PlatformView, RedirectSupport, Right,
        SecretRef,
    },
    spec::{AdminAccess, PlatformSpec},
};

use super::{
    style::clean,
    yaml::{
        self, Fields, account_fields, contact_fields, domain_fields, group_fields, inline, redirection_fields, scalar,
    },
};

/// Longer blocks get a line for each key.
const LINE: usize = 110;

/// One platform as a spec names and as an observation shows it.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Its name in the spec.
    pub id: &'a PlatformId,
    /// What the spec says of it.
    pub spec: &'a PlatformSpec,
    /// What is there.
    pub view: &'a PlatformView,
}

/// What to write.
#[derive(Clone, Copy, Debug)]
pub struct Import<'a> {
    /// Whose objects are written.
    pub from: Named<'a>,
    /// The platform that they are to move to; `None` writes them as they are.
    pub to: Option<Named<'a>>,
    /// Only these domains; all when empty.
    pub domains: &'a BTreeSet<Domain>,
}

/// Writes the spec.
///
/// Without a target, a plan made from the result is empty as long as nothing changes. With one, the result moves
/// everything; what the target cannot hold is left out and named in a comment.
#[must_use]
pub fn import_spec(import: &Import<'_>) -> String {
    let writer = Writer { import };
    let mut out = String::from("# yaml-language-server: $schema=schema/spec.json\n#\n");
    writer.title(&mut out);
    out.push_str("version: 1\n\nplatforms:\n");
    platform(import.from, &mut out);
    if let Some(to) = import.to {
        platform(to, &mut out);
    }
    writer.domains(&mut out);
    writer.defaults(&mut out);
    writer.accounts(&mut out);
    writer.redirections(&mut out);
    writer.groups(&mut out);
    writer.contacts(&mut out);
    out
}

fn platform(named: Named<'_>, out: &mut String) {
    let wish = named.spec;
    let _ = writeln!(out, "  {}:\n    kind: {}", scalar(named.id.as_str()), wish.kind.word());
    for (key, value) in [("organization", &wish.organization), ("service", &wish.service), ("endpoint", &wish.endpoint)]
    {
        // The organisation is usually the service, which is the default.
        if let Some(text) = value.as_deref().filter(|t| key != "organization" || Some(*t) != wish.service.as_deref()) {
            let _ = writeln!(out, "    {key}: {}", scalar(text));
        }
    }
    if let Some(imap) = &wish.imap {
        let security = format!("{:?}", imap.security).to_lowercase();
        let _ =
            writeln!(out, "    imap: {{ host: {}, port: {}, security: {} }}", scalar(&imap.host), imap.port, security);
    }
    if !wish.credentials.is_empty() {
        out.push_str("    credentials:\n");
        for (field, reference) in &wish.credentials {
            let _ = writeln!(out, "      {field}: {}", secret(reference));
        }
    }
    match &wish.admin {
        None | Some(AdminAccess::Named { .. }) => {}
        Some(AdminAccess::Token { token, .. }) => {
            let _ = writeln!(out, "    admin: {{ token: {} }}", secret(token));
        }
        Some(AdminAccess::Master { user, separator, password }) => {
            let _ = writeln!(
                out,
                "    admin: {{ master: {{ user: {}, separator: {}, password: {} }} }}",
                scalar(user),
                serde_json::Value::from(separator.as_str()),
                secret(password)
            );
        }
        Some(AdminAccess::Authzid { user, password }) => {
            let _ =
                writeln!(out, "    admin: {{ authzid: {{ user: {}, password: {} }} }}", scalar(user), secret(password));
        }
    }
    if let Some(limit) = wish.requests_per_minute {
        let _ = writeln!(out, "    requests_per_minute: {limit}");
    }
}

/// A reference as a spec writes it.
fn secret(reference: &SecretRef) -> String {
    match reference {
        SecretRef::Env(name) => format!("{{ env: {} }}", scalar(name)),
        SecretRef::File(path) => format!("{{ file: {} }}", scalar(&path.display().to_string())),
        SecretRef::Command(argv) => {
            let words: Vec<String> = argv.iter().map(|w| serde_json::Value::from(w.as_str()).to_string()).collect();
            format!("{{ command: [{}] }}", words.join(", "))
        }
        SecretRef::Keyring(entry) => format!("{{ keyring: {} }}", scalar(entry)),
    }
}

struct Writer<'i, 'a> {
    import: &'i Import<'a>,
}

impl Writer<'_, '_> {
    fn view(&self) -> &PlatformView {
        self.import.from.view
    }

    /// What the result must be held by.
    fn can(&self) -> &Capabilities {
        &self.import.to.unwrap_or(self.import.from).view.capabilities
    }

    fn wanted(&self, domain: &Domain) -> bool {
        self.view().domains.contains_key(domain)
            && (self.import.domains.is_empty() || self.import.domains.contains(domain))
    }

    fn title(&self, out: &mut String) {
        let from = self.import.from;
        match self.import.to {
            None => {
                let _ = writeln!(
                    out,
                    "# What there is on {} ({} {}).",
                    from.id,
                    from.spec.kind.title(),
                    from.view.service.name
                );
                out.push_str("# `rehome plan` finds nothing to do with it, until it or the platform is changed.\n");
            }
            Some(to) => {
                let _ = writeln!(
                    out,
                    "# Moves everything from {} ({}) to {} ({}). Read it, then `rehome plan`.",
                    from.id,
                    from.spec.kind.title(),
                    to.id,
                    to.spec.kind.title()
                );
            }
        }
        out.push_str("# What is taken out of this file is left as it is. Deleting is said: `state: absent`.\n");
        out.push_str(&yaml::gaps(from.view));
    }

    fn domains(&self, out: &mut String) {
        out.push_str("\ndomains:\n");
        let (from, home) = (self.import.from, self.import.to.unwrap_or(self.import.from));
        for (name, seen) in self.view().domains.iter().filter(|(name, _)| self.wanted(name)) {
            let _ = writeln!(out, "  {}:\n    platform: {}", scalar(&name.unicode()), scalar(home.id.as_str()));
            if self.import.to.is_none() {
                for (key, value) in domain_fields(seen.kind, seen.mx_relay.as_deref()) {
                    let _ = writeln!(out, "    {key}: {value}");
                }
            } else {
                let _ = writeln!(out, "    migrate:\n      from: {}", scalar(from.id.as_str()));
                out.push_str(
                    "      # strategy: swap         # swap | stage | parallel; the default fits the two platforms\n",
                );
                out.push_str(
                    "      # source: keep           # keep | reset, once the mail is proved to be at the target\n",
                );
            }
            if let Some(footer) = &seen.footer {
                let mark = if self.can().footers { "" } else { "# the target has no footers: " };
                let _ = writeln!(out, "    {mark}footer: {}", yaml::footer(footer));
            }
            out.push_str("    # dns: { verify: [mx, spf, dkim, dmarc, autodiscover] }\n");
        }
    }

    fn defaults(&self, out: &mut String) {
        let Some(to) = self.import.to else { return };
        out.push_str(
            "\n# What every account has unless it says otherwise. {local}, {address} and {domain} are filled in.\n",
        );
        out.push_str("defaults:\n");
        if to.spec.kind == PlatformKind::Imap {
            out.push_str("  password: { env: \"NEW_{address}\" }\n");
        } else {
            out.push_str("  password: { generate: { deliver: { file: \"secrets/{address}\" } } }\n");
        }
        if self.import.from.spec.admin.is_none() {
            out.push_str("  mail: { source_password: { env: \"OLD_{address}\" } }\n");
        }
    }

    fn accounts(&self, out: &mut String) {
        let here = || self.view().accounts.iter().filter(|(a, _)| self.wanted(a.domain()));
        if here().next().is_none() {
            return;
        }
        out.push_str("\naccounts:\n");
        for (address, seen) in here() {
            let mut comments: Vec<String> = Vec::new();
            comments.extend(seen.used_octets.map(|n| format!("{} in use", size(n))));
            if seen.imap_enabled == Some(false) {
                comments.push("IMAP is switched off".to_owned());
            }
            let mut fields = account_fields(seen);
            self.fit(address, &mut fields, &mut comments);
            let comment = if comments.is_empty() { String::new() } else { format!("  # {}", comments.join("; ")) };
            let _ = writeln!(out, "  {}:{}", scalar(&address.to_string()), clean(&comment).replace('\n', " "));
            for (key, value) in fields {
                let _ = writeln!(out, "    {key}: {value}");
            }
        }
    }

    /// Leaves out of an account what cannot be wished for, and says so.
    fn fit(&self, address: &Address, fields: &mut Fields, comments: &mut Vec<String>) {
        let can = self.can();
        let Some(seen) = self.view().accounts.get(address) else { return };
        fields.retain(|(key, _)| !matches!(*key, "aliases" | "delegates"));
        if self.import.to.is_some() {
            // The size of a new mailbox is its slot's; the old one's is no wish.
            fields.retain(|(key, _)| *key != "quota");
        }
        let (good, elsewhere): (BTreeSet<&Address>, BTreeSet<&Address>) =
            seen.aliases.iter().partition(|alias| can.aliases && self.wanted(alias.domain()));
        if !good.is_empty() {
            fields.push(("aliases", yaml::list(good)));
        }
        if !elsewhere.is_empty() {
            comments.push(format!("left out, aliases: {}", yaml::list(elsewhere)));
        }
        let account = |to: &Address| self.view().accounts.contains_key(to) && self.wanted(to.domain()) && to != address;
        let rights: Vec<(&Address, Right)> = seen.delegations.iter().map(|d| (&d.to, d.right)).collect();
        let to: BTreeSet<&Address> = rights.iter().map(|(to, _)| *to).collect();
        let mut blocks = Vec::new();
        for to in to {
            let (good, bad): (Vec<Right>, Vec<Right>) = rights
                .iter()
                .filter(|(who, _)| *who == to)
                .map(|(_, right)| *right)
                .partition(|right| can.delegations.contains(right) && account(to));
            let words = |all: &[Right]| all.iter().map(|r| r.word()).collect::<Vec<_>>().join(", ");
            if !good.is_empty() {
                blocks.push(format!("{{ to: {}, rights: [{}] }}", scalar(&to.to_string()), words(&good)));
            }
            if !bad.is_empty() {
                comments.push(format!("left out, delegate {to}: {}", words(&bad)));
            }
        }
        if !blocks.is_empty() {
            fields.push(("delegates", format!("[{}]", blocks.join(", "))));
        }
    }

    fn objects<'o>(
        &self,
        out: &mut String,
        title: &str,
        holds: bool,
        objects: impl Iterator<Item = (&'o Address, Fields)>,
    ) {
        let mut begun = false;
        for (address, block) in objects {
            if !std::mem::replace(&mut begun, true) {
                let note = if holds { "" } else { "# the target cannot hold these\n# " };
                let _ = write!(out, "\n{note}{title}:\n");
            }
            let mark = if holds { "" } else { "# " };
            let name = scalar(&address.to_string());
            let line = format!("{mark}  {name}: {}", inline(&block));
            if line.chars().count() <= LINE {
                let _ = writeln!(out, "{line}");
                continue;
            }
            let _ = writeln!(out, "{mark}  {name}:");
            for (key, value) in &block {
                let _ = writeln!(out, "{mark}    {key}: {value}");
            }
        }
    }

    fn redirections(&self, out: &mut String) {
        let holds = self.can().redirections != RedirectSupport::None;
        let here = self.view().redirections.iter().filter(|(from, _)| self.wanted(from.domain()));
        self.objects(out, "redirections", holds, here.map(|(from, r)| (from, redirection_fields(r))));
    }

    fn groups(&self, out: &mut String) {
        let holds = self.can().groups != GroupSupport::None;
        let here = self.view().groups.iter().filter(|(group, _)| self.wanted(group.domain()));
        self.objects(out, "groups", holds, here.map(|(group, g)| (group, group_fields(g))));
    }

    fn contacts(&self, out: &mut String) {
        let home = self.import.to.unwrap_or(self.import.from);
        let block = |contact| {
            let mut fields: Fields = vec![("platform", scalar(home.id.as_str()))];
            fields.extend(contact_fields(contact));
            fields
        };
        let here = self.view().contacts.iter();
        self.objects(out, "contacts", self.can().contacts, here.map(|(address, c)| (address, block(c))));
    }
}
