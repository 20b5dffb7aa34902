//! The documentation's table of platforms, and laws of the capabilities behind it.

use std::{fmt::Write as _, fs, path::Path};

use rehome::{
    model::{Capabilities, CreateBy, GroupSupport, PlatformKind, RedirectSupport, Right},
    provider::capabilities_of,
};

const START: &str = "write it anew -->\n";
const END: &str = "<!-- end of table -->";

fn yes(b: bool) -> String {
    if b { "yes".to_owned() } else { "-".to_owned() }
}

/// The name of a row, and what stands in it.
type Row = (&'static str, fn(&Capabilities) -> String);

fn rows() -> Vec<Row> {
    vec![
        ("Domains can be added and removed", |c| yes(c.domains)),
        ("Domain type and relay", |c| yes(c.domain_type)),
        ("A new account", |c| match c.create {
            CreateBy::Request => "on demand".to_owned(),
            CreateBy::Slot => "fills a slot".to_owned(),
            CreateBy::Never => "-".to_owned(),
        }),
        ("Rename, mail stays", |c| yes(c.rename)),
        ("Reset or delete", |c| yes(c.reset)),
        ("Set a password", |c| yes(c.set_password)),
        ("Aliases", |c| yes(c.aliases)),
        ("Redirections", |c| match c.redirections {
            RedirectSupport::None => "-".to_owned(),
            RedirectSupport::AccountForward => "one address per account".to_owned(),
            RedirectSupport::Any => "any".to_owned(),
        }),
        ("Groups", |c| match c.groups {
            GroupSupport::None => "-".to_owned(),
            GroupSupport::Directory => "directory".to_owned(),
            GroupSupport::List => "mailing list".to_owned(),
        }),
        ("Rights on others", |c| {
            let words: Vec<&str> = c.delegations.iter().map(|r| r.word()).collect();
            if words.is_empty() { "-".to_owned() } else { words.join(", ") }
        }),
        ("External contacts", |c| yes(c.contacts)),
        ("Footers", |c| yes(c.footers)),
        ("Calendars, address books", |c| yes(c.groupware)),
        ("Largest mailbox", |c| c.mailbox_limit.map_or("-".to_owned(), |n| format!("{} GB", n >> 30))),
        ("Password length", |c| format!("{} to {}", c.password_length.0, c.password_length.1)),
        ("Password must be mixed", |c| yes(c.password_complex)),
        ("Longest local part", |c| c.local_part_limit.to_string()),
    ]
}

fn table() -> String {
    let kinds = PlatformKind::ALL;
    let mut out = String::from("\n|");
    for kind in kinds {
        let _ = write!(out, " | {}", kind.title());
    }
    out.push_str(" |\n|---|");
    out.push_str(&"---|".repeat(kinds.len()));
    let _ = write!(out, "\n| `kind`");
    for kind in kinds {
        let _ = write!(out, " | `{}`", kind.word());
    }
    out.push_str(" |\n");
    for (name, cell) in rows() {
        let _ = write!(out, "| {name}");
        for kind in kinds {
            let _ = write!(out, " | {}", cell(&capabilities_of(kind)));
        }
        out.push_str(" |\n");
    }
    out.push('\n');
    out
}

#[test]
fn the_documentations_table_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/platforms.md");
    let text = fs::read_to_string(&path).unwrap();
    let from = text.find(START).unwrap() + START.len();
    let to = text.find(END).unwrap();
    let wanted = table();
    if std::env::var_os("REHOME_UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{}{wanted}{}", &text[..from], &text[to..])).unwrap();
        return;
    }
    assert_eq!(&text[from..to], wanted, "run the tests with REHOME_UPDATE_DOCS=1");
}

#[test]
fn every_platform_takes_passwords_that_rehome_can_generate() {
    for kind in PlatformKind::ALL {
        let (shortest, longest) = capabilities_of(kind).password_length;
        assert!(shortest <= longest && longest >= 24, "{kind}");
    }
}

#[test]
fn who_shares_routing_can_take_part_in_a_swap_only_with_a_rename() {
    let renames: Vec<PlatformKind> = PlatformKind::ALL.into_iter().filter(|k| capabilities_of(*k).rename).collect();
    assert_eq!(
        renames,
        [PlatformKind::OvhExchange, PlatformKind::OvhEmailPro, PlatformKind::OvhMxplan, PlatformKind::OvhZimbra]
    );
    assert!(capabilities_of(PlatformKind::OvhExchange).delegations.contains(&Right::SendOnBehalf));
}
