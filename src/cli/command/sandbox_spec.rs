//! A spec that moves everybody of a sandbox, and the variables it needs.

use std::{collections::BTreeMap, fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use crate::{
    cli::failure::Failure,
    diag::Exit,
    sandbox::{
        Ready,
        residents::{EMAIL_PRO, EXCHANGE, EXCHANGE_2, MX_PLAN, ZIMBRA},
    },
};

/// One move of a sandbox: the domain, the platform it leaves and the one it joins, how.
const ROUTES: [(&str, &str, &str, &str); 4] = [
    ("blue.example", "exchange", "emailpro", "swap"),
    ("green.example", "emailpro", "mxplan", "swap"),
    ("red.example", "legacy", "zimbra", "stage"),
    ("amber.example", "exchange", "exchange2", "swap"),
];

/// Writes `rehome.yaml` and `sandbox.env`.
pub(super) fn write(folder: &Path, ready: &Ready, variables: &BTreeMap<String, String>) -> Result<(), Failure> {
    let failed = |e: &std::io::Error| Failure::caused(Exit::Failed, format!("cannot write to {}", folder.display()), e);
    fs::create_dir_all(folder).map_err(|e| failed(&e))?;
    fs::write(folder.join("rehome.yaml"), spec(ready)).map_err(|e| failed(&e))?;
    write_variables(folder, variables)
}

/// Writes `sandbox.env`, readable by its owner alone: it holds passwords.
pub(super) fn write_variables(folder: &Path, variables: &BTreeMap<String, String>) -> Result<(), Failure> {
    let failed = |e: &std::io::Error| Failure::caused(Exit::Failed, format!("cannot write to {}", folder.display()), e);
    let mut file = fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(folder.join("sandbox.env"))
        .map_err(|e| failed(&e))?;
    for (name, value) in variables {
        writeln!(file, "{name}='{value}'").map_err(|e| failed(&e))?;
    }
    Ok(())
}

fn spec(ready: &Ready) -> String {
    let mut out =
        String::from("# Moves everybody of the sandbox. The variables are in sandbox.env.\nversion: 1\nplatforms:\n");
    out.push_str(&format!(
        "  exchange:\n    kind: ovh-exchange\n    organization: {EXCHANGE}\n    service: {EXCHANGE}\n    credentials:\n      \
         application_key: {{ env: OVH_APPLICATION_KEY }}\n      application_secret: {{ env: OVH_APPLICATION_SECRET }}\n      \
         consumer_key: {{ env: OVH_CONSUMER_KEY }}\n"
    ));
    let others = [
        ("exchange2", "ovh-exchange", EXCHANGE_2),
        ("emailpro", "ovh-email-pro", EMAIL_PRO),
        ("mxplan", "ovh-mxplan", MX_PLAN),
        ("legacy", "ovh-mxplan-legacy", "red.example"),
        ("zimbra", "ovh-zimbra", ZIMBRA),
    ];
    for (id, kind, service) in others {
        out.push_str(&format!("  {id}:\n    kind: {kind}\n    service: {service}\n"));
        if kind == "ovh-exchange" {
            out.push_str(&format!("    organization: {service}\n"));
        }
        out.push_str("    credentials: { same_as: exchange }\n");
    }
    out.push_str("\ndomains:\n");
    for (domain, from, to, strategy) in ROUTES {
        out.push_str(&format!(
            "  {domain}:\n    platform: {to}\n    migrate: {{ from: {from}, strategy: {strategy}, provisional: \
             \"{{local}}01\" }}\n"
        ));
    }
    out.push_str(
        "\ndefaults:\n  password: { generate: { deliver: { file: \"secrets/{address}\" } } }\n  mail: { \
         source_password: { env: \"PASSWORD_{address}\" } }\n\naccounts:\n",
    );
    for account in &ready.accounts {
        out.push_str(&format!("  {}: {}\n", account.address, account.name));
    }
    out
}
