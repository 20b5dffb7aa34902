//! Accounts from a table: each row stands for the block that somebody could have written instead, so that it is read
//! and checked by the same rules, with places in the table.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use super::{
    place::{At, Locate as _, Place, span},
    raw::{AccountEntry, FIELDS, PeopleFile, Read as _, Reader, sounds_secret, suggest},
    tree::{Data, Node},
};
use crate::diag::{Diagnostic, SourceText};

/// Reads a table.
pub(super) fn read(file: &PeopleFile, reader: &mut Reader) -> Vec<(At<String>, AccountEntry)> {
    let source = Arc::clone(&reader.source);
    let Some(delimiter) = delimiter(file, &source, reader) else { return Vec::new() };
    let mut rows = rows(&source, delimiter, reader).into_iter();
    let Some(header) = rows.next() else {
        reader.problem(
            "spec::empty",
            "the table is empty".to_owned(),
            &Place::new(&source, 0..0),
            "a line of headers belongs here",
            Some("the first line names the columns: `address,name,quota`".to_owned()),
        );
        return Vec::new();
    };
    let rows: Vec<_> = rows.collect();
    let columns = columns(file, &header, &source, reader);
    for (index, (name, _)) in header.iter().enumerate() {
        // A column that nobody reads is shown with its row all the same.
        if sounds_secret(name) && !columns.contains_key(&index) {
            reader.secrets.extend(rows.iter().filter_map(|row| row.get(index)).map(|(_, range)| range.clone()));
        }
    }
    if columns.values().any(|field| *field == "address") {
        return rows.iter().filter_map(|row| account(row, header.len(), &columns, &source, reader)).collect();
    }
    let whole = header.first().map_or(0..0, |(_, first)| first.start..header.last().map_or(0, |(_, last)| last.end));
    reader.problem(
        "spec::bad-table",
        "the table has no column of addresses".to_owned(),
        &Place::new(&source, whole),
        "the headers",
        Some("name a column `address`, or say which one it is: `columns: { address: E-Mail }`".to_owned()),
    );
    Vec::new()
}

/// One field of a table: its text and where it is.
type Cell = (String, Range<usize>);

fn delimiter(file: &PeopleFile, source: &SourceText, reader: &mut Reader) -> Option<u8> {
    let Some(given) = &file.delimiter else {
        let first = source.text.lines().next().unwrap_or("");
        let count = |c: char| first.matches(c).count();
        return [',', ';', '\t'].into_iter().rev().max_by_key(|c| count(*c)).and_then(|c| u8::try_from(c).ok());
    };
    match given.value.as_bytes() {
        [one] => Some(*one),
        _ if given.value == "\\t" => Some(b'\t'),
        _ => {
            let message = "a delimiter is one character".to_owned();
            reader.problem("spec::bad-table", message, &given.place, "here", Some("such as `;`".to_owned()));
            None
        }
    }
}

/// The rows with the place of every field; empty lines are left out.
fn rows(source: &Arc<SourceText>, delimiter: u8, reader: &mut Reader) -> Vec<Vec<Cell>> {
    let text = source.text.as_str();
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut parser = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.get(start..).unwrap_or("").as_bytes());
    let mut out = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        match parser.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return out,
            Err(error) => {
                let message = format!("the table cannot be read: {error}");
                reader.problem("spec::bad-table", message, &Place::new(source, 0..0), "in this file", None);
                return out;
            }
        }
        let begin = start + record.position().map_or(0, |p| usize::try_from(p.byte()).unwrap_or(0));
        let end = start + usize::try_from(parser.position().byte()).unwrap_or(0);
        let places = places(text, begin..end, delimiter);
        let cells = record
            .iter()
            .enumerate()
            .map(|(i, cell)| (cell.trim().to_owned(), places.get(i).cloned().unwrap_or(begin..begin)));
        out.push(cells.collect());
    }
}

/// Where the fields of one record are, quotes left out.
fn places(text: &str, record: Range<usize>, delimiter: u8) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let bytes = text.as_bytes().get(record.clone()).unwrap_or(&[]);
    let skipped = bytes.iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
    let (mut begin, mut quoted) = (skipped, false);
    for (i, byte) in bytes.iter().enumerate().skip(skipped) {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => {
                out.push(trimmed(bytes, begin..i, record.start));
                return out;
            }
            b if *b == delimiter && !quoted => {
                out.push(trimmed(bytes, begin..i, record.start));
                begin = i + 1;
            }
            _ => {}
        }
    }
    out.push(trimmed(bytes, begin..bytes.len(), record.start));
    out
}

fn trimmed(bytes: &[u8], range: Range<usize>, base: usize) -> Range<usize> {
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'"' | b'\r' | b'\n');
    let field = bytes.get(range.clone()).unwrap_or(&[]);
    let front = field.iter().take_while(|b| blank(b)).count();
    let back = field.iter().rev().take_while(|b| blank(b)).count().min(field.len() - front);
    base + range.start + front..base + range.end - back
}

/// Which column holds what: field by column number.
fn columns(
    file: &PeopleFile,
    header: &[Cell],
    source: &Arc<SourceText>,
    reader: &mut Reader,
) -> BTreeMap<usize, &'static str> {
    let mut out = BTreeMap::new();
    let mut mapped: Vec<&str> = Vec::new();
    for (field, name) in file.columns.iter().flat_map(|c| &c.value.0) {
        let known = FIELDS.iter().find(|f| **f == field.value);
        mapped.extend(known);
        match (header.iter().position(|(text, _)| text == name.value.trim()), known) {
            (Some(index), Some(known)) => {
                out.insert(index, *known);
            }
            (None, _) => {
                let near = suggest(&name.value, header.iter().map(|(text, _)| text.as_str()));
                let help = near.map(|best| format!("did you mean `{best}`?"));
                let message = format!("the table has no column `{}`", name.value);
                reader.problem("spec::bad-table", message, &name.place, "no such header", help);
            }
            (_, None) => {}
        }
    }
    let strict = file.columns.is_none();
    for (index, (text, range)) in header.iter().enumerate() {
        if out.contains_key(&index) {
            continue;
        }
        let wanted = FIELDS.iter().find(|field| text.eq_ignore_ascii_case(field) && !mapped.contains(field));
        if let Some(field) = wanted {
            out.insert(index, *field);
        } else if strict {
            unknown_column(text, &Place::new(source, range.clone()), reader);
        }
    }
    out
}

fn unknown_column(text: &str, place: &Place, reader: &mut Reader) {
    if sounds_secret(text) {
        let help = "a table holds references only: name the column `source_password_env`, `source_password_file`, \
                    `password_env` or `password_file`. If the values are real and the file was shared, change them";
        let message = format!("the column `{text}` looks like passwords written in clear");
        reader.problem("spec::inline-secret", message, place, "what is below is not shown", Some(help.to_owned()));
        return;
    }
    let help = match suggest(text, FIELDS) {
        Some(best) => {
            format!("did you mean `{best}`? Other columns are ignored once `columns:` names those that count")
        }
        None => "with `columns:` only the columns that it names count".to_owned(),
    };
    let warning = Diagnostic::warning("spec::ignored-column", format!("the column `{text}` is ignored"));
    reader.problems.push(warning.locate(place, "unknown header").help(help));
}

/// The block that a row stands for.
fn account(
    row: &[Cell],
    width: usize,
    columns: &BTreeMap<usize, &'static str>,
    source: &Arc<SourceText>,
    reader: &mut Reader,
) -> Option<(At<String>, AccountEntry)> {
    let place = |range: &Range<usize>| Place::new(source, range.clone());
    let mut address = None;
    let (mut block, mut mail) = (Vec::new(), Vec::new());
    for (index, (text, range)) in row.iter().enumerate().filter(|(_, (text, _))| !text.is_empty()) {
        let Some(field) = columns.get(&index) else { continue };
        let leaf = || scalar(text, place(range));
        let one = |key: &str, value: Node| {
            let entry = vec![(scalar(key, place(range)), value)];
            Node { data: Data::Map(entry), place: place(range) }
        };
        let (owner, key, value) = match *field {
            "address" => {
                address = Some(At { value: text.clone(), place: place(range) });
                continue;
            }
            "aliases" => {
                let words = text.split([';', ' ', '\n', '\t']).filter(|word| !word.is_empty());
                let items = words.map(|word| scalar(word, place(range))).collect();
                (&mut block, "aliases", Node { data: Data::List(items), place: place(range) })
            }
            "skip" => (&mut mail, "skip", leaf()),
            "source_address" => (&mut mail, "source_address", leaf()),
            "source_password_env" => (&mut mail, "source_password", one("env", leaf())),
            "source_password_file" => (&mut mail, "source_password", one("file", leaf())),
            "password_env" => (&mut block, "password", one("env", leaf())),
            "password_file" => (&mut block, "password", one("generate", one("deliver", one("file", leaf())))),
            other => (&mut block, other, leaf()),
        };
        owner.push((scalar(key, place(range)), value));
    }
    let whole = row.first().map_or(0..0, |(_, first)| first.start..row.last().map_or(first.end, |(_, r)| r.end));
    if row.len() > width {
        let message = format!("a row has {} fields, and there are {width} headers", row.len());
        let help = "put text that holds the delimiter in quotes".to_owned();
        reader.problem("spec::bad-table", message, &place(&whole), "this row", Some(help));
        return None;
    }
    let Some(address) = address else {
        if row.iter().any(|(text, _)| !text.is_empty()) {
            let diagnostic = Diagnostic::error("spec::bad-table", "a row has no address");
            reader.problems.push(diagnostic.at(span(source, whole), "this row"));
        }
        return None;
    };
    if let Some((_, first)) = mail.first() {
        let place = first.place.clone();
        block.push((scalar("mail", place.clone()), Node { data: Data::Map(mail), place }));
    }
    let node = Node { data: Data::Map(block), place: address.place.clone() };
    AccountEntry::read(&node, reader).map(|entry| (address, entry))
}

fn scalar(text: &str, place: Place) -> Node {
    let truth = match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    };
    Node { data: Data::Scalar { text: text.to_owned(), truth }, place }
}
