//! Specs, good and bad, as people write them.

mod accounts;
mod addresses;
mod domains;
mod examples;
mod files;
mod laws;
mod people;
mod platforms;
mod secrets;
mod secrets_in_clear;
mod shape;

use rehome::spec::{self, Loaded};

/// Two platforms that share their MX, a domain that moves from one to the other, and what every account needs.
const BASE: &str = r#"version: 1
platforms:
  exchange: { kind: ovh-exchange, service: ex-1, credentials: &keys { application_key: { env: K }, application_secret: { env: S }, consumer_key: { env: C } } }
  emailpro: { kind: ovh-email-pro, service: pro-1, credentials: *keys }
domains:
  mydomain.ovh: { platform: emailpro, migrate: { from: exchange } }
defaults:
  password: { generate: { deliver: { file: "secrets/{address}" } } }
  mail: { source_password: { env: "OLD_{local}" } }
"#;

/// What a person sees of a spec that is wrong.
fn refused(text: &str) -> String {
    refused_files(&[("spec.yaml", text)])
}

fn refused_files(files: &[(&str, &str)]) -> String {
    match spec::parse_files(files) {
        Ok(loaded) => panic!("accepted: {:#?}", loaded.spec),
        Err(problems) => problems.render(false, 100),
    }
}

/// The same for more text below [`BASE`].
fn refused_below(text: &str) -> String {
    let below = refused(&format!("{BASE}{text}"));
    below.trim_end().to_owned()
}

fn accepted(text: &str) -> Loaded {
    match spec::parse("spec.yaml", text) {
        Ok(loaded) => loaded,
        Err(problems) => panic!("{}", problems.render(false, 100)),
    }
}

/// The warnings about a spec that is accepted.
fn warned_below(text: &str) -> String {
    accepted(&format!("{BASE}{text}")).warnings.render(false, 100).trim_end().to_owned()
}
