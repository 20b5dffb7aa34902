//! `rehome fmt`: a spec in good form.

use std::{fs, path::Path};

use crate::{
    cli::{context::Context, failure::Failure, saved},
    diag::{Diagnostics, Exit},
    report, spec,
};

/// Formats the files of a spec; with `check` or `diff` nothing is written.
pub(super) fn run(context: &Context, path: &Path, check: bool, diff: bool) -> Result<Exit, Failure> {
    let files = spec::files(path).map_err(Failure::invalid)?;
    let mut problems = Diagnostics::default();
    let mut changed = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file)
            .map_err(|e| Failure::caused(Exit::Invalid, format!("cannot read {}", file.display()), &e))?;
        let name = file.display().to_string();
        match spec::format(&name, &text) {
            Ok(formatted) if formatted == text => {}
            Ok(formatted) => changed.push((file, text, formatted)),
            Err(found) => problems.0.extend(found.0),
        }
    }
    for (file, before, after) in &changed {
        let name = file.display().to_string();
        if diff {
            let to = format!("{name} (formatted)");
            context.answer(&report::unified(before, after, (&name, &to), &context.looks()))?;
        } else if check {
            context.answer(&format!("{name}\n"))?;
        } else {
            write(file, after)?;
            context.answer(&format!("{name}\n"))?;
        }
    }
    if !problems.0.is_empty() {
        return Err(Failure::invalid(problems));
    }
    Ok(if check && !changed.is_empty() { Exit::Changes } else { Exit::Ok })
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    saved::replace(path, text.as_bytes())
        .map_err(|e| Failure::caused(Exit::Failed, format!("cannot write {}", path.display()), &e))
}
