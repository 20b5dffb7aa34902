//! `rehome validate`: a spec alone, with every problem at once.

use std::path::Path;

use crate::{
    cli::{args::Format, context::Context, failure::Failure},
    diag::Exit,
    spec,
};

/// Checks a spec; looks at nothing else.
pub(super) fn run(context: &Context, path: &Path) -> Result<Exit, Failure> {
    if context.global.format == Format::Json {
        let (exit, diagnostics) = match spec::load(path) {
            Ok(loaded) => (Exit::Ok, loaded.warnings),
            Err(diagnostics) => (Exit::Invalid, diagnostics),
        };
        let text = serde_json::to_string_pretty(&diagnostics.to_json()).unwrap_or_default();
        context.answer(&format!("{text}\n"))?;
        return Ok(exit);
    }
    let spec = context.load(path)?;
    let count = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let mut parts = vec![
        count(spec.platforms.len(), "platform", "platforms"),
        count(spec.domains.len(), "domain", "domains"),
        count(spec.accounts.len(), "account", "accounts"),
    ];
    for (n, one, many) in [
        (spec.redirections.len(), "redirection", "redirections"),
        (spec.groups.len(), "group", "groups"),
        (spec.contacts.len(), "contact", "contacts"),
    ] {
        if n > 0 {
            parts.push(count(n, one, many));
        }
    }
    context.answer(&format!("{} is valid: {}.\n", path.display(), parts.join(", ")))?;
    Ok(Exit::Ok)
}
