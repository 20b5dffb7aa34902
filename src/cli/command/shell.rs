//! `rehome completions`, `rehome man` and `rehome schema`: what shells and editors want.

use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{
    cli::{
        args::{Args, SchemaKind},
        context::Context,
        failure::Failure,
    },
    diag::Exit,
    plan, report, spec,
};

/// Prints the completions of a shell.
pub(super) fn completions(context: &Context, shell: Shell) -> Result<Exit, Failure> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "rehome", &mut out);
    context.answer(&String::from_utf8_lossy(&out))?;
    Ok(Exit::Ok)
}

/// Prints a JSON Schema.
pub(super) fn schema(context: &Context, of: SchemaKind) -> Result<Exit, Failure> {
    let text = match of {
        SchemaKind::Spec => spec::schema::text(),
        SchemaKind::Plan => plan::schema::text(),
        SchemaKind::Event => report::event_schema_text(),
    };
    context.answer(&text)?;
    Ok(Exit::Ok)
}

/// Writes the manual pages: one for every command into a folder, or that of the program to stdout.
pub(super) fn man(context: &Context, folder: Option<&Path>) -> Result<Exit, Failure> {
    let mut command = Args::command();
    command.build();
    let Some(folder) = folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .map_err(|e| Failure::caused(Exit::Failed, "cannot make the manual page", &e))?;
        context.answer(&String::from_utf8_lossy(&page))?;
        return Ok(Exit::Ok);
    };
    let failed = |e: &std::io::Error| Failure::caused(Exit::Failed, format!("cannot write to {}", folder.display()), e);
    std::fs::create_dir_all(folder).map_err(|e| failed(&e))?;
    clap_mangen::generate_to(command, folder).map_err(|e| failed(&e))?;
    let pages = std::fs::read_dir(folder).map_err(|e| failed(&e))?.flatten().count();
    context.answer(&format!("Wrote {pages} pages to {}\n", folder.display()))?;
    Ok(Exit::Ok)
}
