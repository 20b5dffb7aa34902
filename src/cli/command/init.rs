//! `rehome init`: a commented spec to start from.

use std::path::Path;

use crate::{
    cli::{context::Context, failure::Failure, saved},
    diag::Exit,
    spec,
};

/// Writes the file; an existing one is never touched.
pub(super) fn run(context: &Context, path: &Path) -> Result<Exit, Failure> {
    let text = spec::template_init();
    saved::create(path, text.as_bytes()).map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::new(Exit::Failed, format!("{} is there already, and is left as it is", path.display()))
                .help("choose another name: rehome init FILE")
        }
        _ => Failure::caused(Exit::Failed, format!("cannot write {}", path.display()), &e),
    })?;
    context.answer(&format!(
        "Wrote {path}. Put in your platforms and accounts, then:\n\n  rehome validate {path}\n  rehome plan {path}\n",
        path = path.display()
    ))?;
    Ok(Exit::Ok)
}
