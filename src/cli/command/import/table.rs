//! Tables of accounts that move between IMAP hosts or between OVHcloud platforms.
//!
//! Passwords that stand in such a table are never written into the spec: it gets a reference to an environment variable
//! for each account, and the user decides where the secret lives.

use std::{collections::BTreeMap, collections::BTreeSet, fmt::Write as _, path::Path};

use csv::StringRecord;

use crate::{cli::failure::Failure, diag::Exit, model::Address, report, spec};

/// One row.
struct Row {
    source: Address,
    source_host: String,
    target: Address,
    target_host: String,
    name: String,
}

/// The columns of the project table of OVH Mail Migrator, as its guide of 2022 shows them: type, server, login and
/// password of the source, the same of the destination, and the delegated administrators of both.
const OMM_COLUMNS: usize = 10;

/// Reads a table and writes the spec.
pub(super) fn read(path: &Path, omm: bool) -> Result<String, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|e| Failure::caused(Exit::Invalid, format!("cannot read {}", path.display()), &e))?;
    let rows = rows(path, &bytes, omm)?;
    let text = write(&rows, omm);
    spec::parse("the imported spec", &text).map_err(Failure::invalid)?;
    Ok(text)
}

fn invalid(path: &Path, line: u64, what: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Invalid, format!("{}, line {line}: {what}", path.display()))
        .help("docs/import.md shows the columns")
}

fn rows(path: &Path, bytes: &[u8], omm: bool) -> Result<Vec<Row>, Failure> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().next().unwrap_or_default();
    let delimiter = [b';', b'\t', b','].into_iter().find(|d| first.as_bytes().contains(d)).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let headers = reader.headers().cloned().unwrap_or_default();
    if omm && headers.len() != OMM_COLUMNS {
        let found = headers.len();
        return Err(invalid(path, 1, format!("a project table has {OMM_COLUMNS} columns, and this has {found}")));
    }
    let columns: BTreeMap<String, usize> =
        headers.iter().enumerate().map(|(at, name)| (name.trim().to_lowercase(), at)).collect();
    if !omm && !columns.contains_key("source") {
        return Err(invalid(path, 1, "there is no column `source`"));
    }
    let mut out = Vec::new();
    let mut seen = BTreeSet::new();
    for record in reader.records() {
        let record =
            record.map_err(|e| Failure::caused(Exit::Invalid, format!("cannot read {}", path.display()), &e))?;
        if record.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        let row = if omm { omm_row(path, line, &record)? } else { plain_row(path, line, &record, &columns)? };
        if !seen.insert(row.target.clone()) {
            return Err(invalid(path, line, format!("{} is there twice", row.target)));
        }
        out.push(row);
    }
    if out.is_empty() { Err(invalid(path, 2, "there is no account")) } else { Ok(out) }
}

fn field(record: &StringRecord, at: usize) -> String {
    record.get(at).unwrap_or_default().trim().to_owned()
}

fn address(path: &Path, line: u64, text: &str) -> Result<Address, Failure> {
    Address::parse(text).map_err(|e| invalid(path, line, e))
}

fn omm_row(path: &Path, line: u64, record: &StringRecord) -> Result<Row, Failure> {
    let kind = field(record, 0);
    if !kind.eq_ignore_ascii_case("imap") && !kind.eq_ignore_ascii_case("exchange") {
        return Err(invalid(path, line, format!("a source of type `{kind}` cannot be read over IMAP")));
    }
    Ok(Row {
        source: address(path, line, &field(record, 2))?,
        source_host: host(&field(record, 1)),
        target: address(path, line, &field(record, 6))?,
        target_host: host(&field(record, 5)),
        name: String::new(),
    })
}

fn plain_row(path: &Path, line: u64, record: &StringRecord, columns: &BTreeMap<String, usize>) -> Result<Row, Failure> {
    let get = |name: &str| columns.get(name).map(|at| field(record, *at)).unwrap_or_default();
    let source = address(path, line, &get("source"))?;
    let target = match get("target").as_str() {
        "" => source.clone(),
        text => address(path, line, text)?,
    };
    Ok(Row {
        source,
        target,
        source_host: host(&get("source_host")),
        target_host: host(&get("target_host")),
        name: get("name"),
    })
}

/// The host of an URL or a host's name; EWS addresses of Exchange are on the host that serves IMAP.
fn host(text: &str) -> String {
    url::Url::parse(text).ok().and_then(|u| u.host_str().map(ToOwned::to_owned)).unwrap_or_else(|| text.to_owned())
}

/// The platforms by host, named `source`, `source2`, ...
fn named<'r>(word: &str, hosts: impl Iterator<Item = &'r str>) -> BTreeMap<&'r str, String> {
    let all: BTreeSet<&str> = hosts.collect();
    let name = |n: usize| if n == 0 { word.to_owned() } else { format!("{word}{}", n + 1) };
    all.into_iter().enumerate().map(|(n, host)| (host, name(n))).collect()
}

fn write(rows: &[Row], omm: bool) -> String {
    let sources = named("source", rows.iter().map(|r| r.source_host.as_str()));
    let targets = named("target", rows.iter().map(|r| r.target_host.as_str()));
    let what = if omm { "a project table of OVH Mail Migrator" } else { "a table" };
    let mut out = format!(
        "# yaml-language-server: $schema=schema/spec.json\n#\n# Made from {what}: {} to move over IMAP. Passwords are not \
         taken over:\n# set the environment variables that `rehome plan` asks for, or write another reference.\n",
        crate::diag::plural(rows.len(), "mailbox")
    );
    out.push_str(
        "# Where a side is an OVHcloud platform, write its kind and service instead of `imap`, and accounts are made too.\n\
         version: 1\n\nplatforms:\n",
    );
    for (host, name) in sources.iter().chain(&targets) {
        let shown = if host.is_empty() { "imap.CHANGE-ME.example" } else { host };
        let _ = writeln!(out, "  {name}: {{ kind: imap, imap: {{ host: {} }} }}", report::yaml_scalar(shown));
    }
    out.push_str("\ndomains:\n");
    let mut routes: BTreeMap<String, BTreeSet<(&str, &str)>> = BTreeMap::new();
    for row in rows {
        let route = (row.source_host.as_str(), row.target_host.as_str());
        routes.entry(row.target.domain().unicode().into_owned()).or_default().insert(route);
    }
    for (domain, ways) in &routes {
        for (n, (from, to)) in ways.iter().enumerate() {
            let (from, to) = (sources.get(from).map_or("", String::as_str), targets.get(to).map_or("", String::as_str));
            // A domain has one way; others are shown for a person to split the table by.
            let mark = if n == 0 { "" } else { "# also in the table: " };
            let _ = writeln!(
                out,
                "  {mark}{}: {{ platform: {to}, migrate: {{ from: {from}, strategy: parallel }} }}",
                report::yaml_scalar(domain)
            );
        }
    }
    out.push_str(
        "\ndefaults:\n  password: { env: \"NEW_{address}\" }\n  mail: { source_password: { env: \"OLD_{address}\" } }\n\n\
         accounts:\n",
    );
    for row in rows {
        let mut fields = Vec::new();
        if !row.name.is_empty() {
            fields.push(format!("name: {}", report::yaml_scalar(&row.name)));
        }
        if row.source != row.target {
            let source = report::yaml_scalar(&row.source.to_string());
            fields
                .push(format!("mail: {{ source_address: {source}, source_password: {{ env: \"OLD_{{address}}\" }} }}"));
        }
        let target = report::yaml_scalar(&row.target.to_string());
        let _ = match fields.is_empty() {
            true => writeln!(out, "  {target}:"),
            false => writeln!(out, "  {target}: {{ {} }}", fields.join(", ")),
        };
    }
    out
}
