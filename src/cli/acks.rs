//! Acknowledgements: typed, or in a file that was reviewed with the plan and counts for that plan alone.
//!
//! ```yaml
//! plan: 127ea65dc709            # the id, or at least its first 12 digits
//! acknowledge: [reset-mailbox]  # codes of guards, or names of actions
//! reason: verified by two people on Friday
//! by: jane@mydomain.ovh         # optional
//! ```

use std::{collections::BTreeSet, fs, path::Path};

use serde::Deserialize;

use super::{args::ApplyArgs, failure::Failure};
use crate::{diag::Exit, plan::Plan};

/// A shorter id could be that of another plan.
const SHORTEST: usize = 12;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    plan: String,
    acknowledge: Vec<String>,
    reason: String,
    #[serde(default, rename = "by")]
    _by: Option<String>,
}

/// Everything that was acknowledged for a plan.
pub(super) fn read(args: &ApplyArgs, plan: &Plan) -> Result<BTreeSet<String>, Failure> {
    let mut out: BTreeSet<String> = args.ack.iter().map(|a| a.trim().to_owned()).collect();
    for path in &args.ack_file {
        out.extend(one(path, plan)?);
    }
    Ok(out)
}

fn one(path: &Path, plan: &Plan) -> Result<Vec<String>, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path)
        .map_err(|e| Failure::caused(Exit::Invalid, format!("cannot read the acknowledgements {shown}"), &e))?;
    let file: File = serde_saphyr::from_str(&text).map_err(|e| {
        Failure::caused(Exit::Invalid, format!("{shown} is no file of acknowledgements"), &e)
            .help("it has `plan`, `acknowledge` (a list) and `reason`; docs/reviews.md shows one")
    })?;
    if file.plan.len() < SHORTEST || !plan.id.as_str().starts_with(file.plan.as_str()) {
        let message = format!("{shown} acknowledges plan {}, and this is plan {}", file.plan, plan.id.short());
        return Err(Failure::new(Exit::Guard, message)
            .help("have this plan reviewed, and write its id into the file; an acknowledgement counts for one plan"));
    }
    if file.reason.trim().is_empty() {
        return Err(
            Failure::new(Exit::Invalid, format!("{shown} gives no reason")).help("say in `reason` why it is right")
        );
    }
    Ok(file.acknowledge)
}
