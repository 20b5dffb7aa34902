//! From paths to text: the only file of this module that reads specs from the file system.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Loaded, mask, people,
    place::{Locate as _, Place, span},
    raw::{Document, Read as _, Reader, VERSION},
    tree::{self, Data, MAX_BYTES, Node},
    validate,
};
use crate::{
    diag::{Diagnostic, Diagnostics, SourceText},
    hands,
};

/// Reads and validates a spec: a file, or a folder whose `*.yaml` and `*.yml` files are read in the order of their names
/// and taken together. Hidden files and folders below are left alone.
///
/// # Errors
/// Everything that is wrong with it, ordered by file and place. Warnings are among them.
pub fn load(path: &Path) -> Result<Loaded, Diagnostics> {
    let (base, files) = list(path).map_err(|d| Diagnostics(vec![*d]))?;
    let mut texts = Vec::new();
    let mut unread = Diagnostics::default();
    for file in files {
        match read(&file) {
            Ok(text) => texts.push(text),
            Err(problem) => unread.push(*problem),
        }
    }
    build(texts, unread, &base, &|name| read(&base.join(name)))
}

/// Reads and validates one text, for tests and for editors. Tables of accounts cannot be reached from it.
///
/// # Errors
/// As for [`load`].
pub fn parse(name: &str, text: &str) -> Result<Loaded, Diagnostics> {
    parse_files(&[(name, text)])
}

/// Reads and validates several texts as if they lay in one folder. Names that end in `.csv` can be referred to by
/// `accounts_from`.
///
/// # Errors
/// As for [`load`].
pub fn parse_files(files: &[(&str, &str)]) -> Result<Loaded, Diagnostics> {
    let text = |(name, text): &(&str, &str)| SourceText { name: (*name).to_owned(), text: (*text).to_owned() };
    let texts = files.iter().filter(|(name, _)| !name.ends_with(".csv")).map(text).collect();
    build(texts, Diagnostics::default(), Path::new(""), &|wanted| {
        files.iter().find(|(name, _)| *name == wanted).map(text).ok_or_else(|| {
            Box::new(Diagnostic::error("spec::unreadable", format!("`{wanted}` cannot be read: there is no such file")))
        })
    })
}

/// The files that a path stands for: itself, or the `*.yaml` and `*.yml` files of a folder in the order of their names.
///
/// # Errors
/// When it cannot be read, or is a folder without such files.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, Diagnostics> {
    list(path).map(|(_, files)| files).map_err(|d| Diagnostics(vec![*d]))
}

fn list(path: &Path) -> Result<(PathBuf, Vec<PathBuf>), Box<Diagnostic>> {
    let unreadable = |error: io::Error| Box::new(unreadable(path, &error));
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        let base = path.parent().unwrap_or(Path::new("")).to_owned();
        return Ok((base, vec![path.to_owned()]));
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let hidden = file.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        let yaml = file.extension().is_some_and(|e| e == "yaml" || e == "yml");
        if yaml && !hidden && file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() {
        let message = format!("the folder `{}` holds no spec", path.display());
        return Err(Box::new(
            Diagnostic::error("spec::empty", message)
                .help("a spec is a `.yaml` file, or a folder of such files; `rehome init` writes one to start from"),
        ));
    }
    files.sort();
    Ok((path.to_owned(), files))
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let diagnostic = Diagnostic::error("spec::unreadable", format!("`{}` cannot be read: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::NotFound => diagnostic.help("give the path of a spec file or of a folder of them"),
        _ => diagnostic,
    }
}

fn read(path: &Path) -> Result<SourceText, Box<Diagnostic>> {
    use io::Read as _;
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let opened = fs::File::open(path).map_err(|error| Box::new(unreadable(path, &error)))?;
    opened.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| Box::new(unreadable(path, &error)))?;
    decode(name, bytes)
}

fn decode(name: String, bytes: Vec<u8>) -> Result<SourceText, Box<Diagnostic>> {
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!("`{name}` is larger than {} MB", MAX_BYTES >> 20);
        let help = "split it: a folder of files is read as one spec";
        return Err(Box::new(Diagnostic::error("spec::too-much", message).help(help)));
    }
    String::from_utf8(bytes).map(|text| SourceText { name: name.clone(), text }).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1;
        let message = format!("`{name}` is not UTF-8: line {line} has another encoding");
        Box::new(Diagnostic::error("spec::not-utf8", message).help("save the file as UTF-8"))
    })
}

/// Reads and validates a spec from bytes, as [`parse`] does from text.
///
/// # Errors
/// As for [`load`]; also when the bytes are no UTF-8.
pub fn parse_bytes(name: &str, bytes: &[u8]) -> Result<Loaded, Diagnostics> {
    let source = decode(name.to_owned(), bytes.to_vec()).map_err(|d| Diagnostics(vec![*d]))?;
    parse(&source.name, &source.text)
}

type Fetch<'a> = &'a dyn Fn(&str) -> Result<SourceText, Box<Diagnostic>>;

fn build(texts: Vec<SourceText>, unread: Diagnostics, base: &Path, fetch: Fetch<'_>) -> Result<Loaded, Diagnostics> {
    let mut lost = unread.has_errors();
    let mut problems = unread;
    let mut documents = Vec::new();
    let mut masks = mask::Masks::default();
    for (reader, document) in read_texts(texts) {
        if let Some(document) = document {
            let tables = tables(&document, &mut problems, &mut masks, fetch);
            documents.push(validate::File { document, tables });
        } else {
            lost |= reader.problems.has_errors();
        }
        problems.0.extend(reader.problems.0);
        masks.add(reader.source, reader.secrets);
    }
    // A file that could not be read at all would only make the others look wrong.
    let spec = if lost { None } else { validate::run(&documents, base, &mut problems) };
    // Given back by as many hands as asked for them.
    hands::map(documents, SHARE, drop);
    problems.0.sort_by(|a, b| order(a).cmp(&order(b)));
    masks.apply(&mut problems);
    match spec {
        Some(spec) if !problems.has_errors() => Ok(Loaded { spec, warnings: problems }),
        _ => Err(problems),
    }
}

/// Fewer texts than this for each hand are not worth another hand.
const SHARE: usize = 16;

/// Reads the texts by themselves, in their order: many of them by as many hands as the machine has.
fn read_texts(texts: Vec<SourceText>) -> Vec<(Reader, Option<Document>)> {
    let single = texts.len() == 1;
    let read = move |text| {
        let mut reader = Reader::new(Arc::new(text));
        let document = document(&mut reader, single);
        (reader, document)
    };
    hands::map(texts, SHARE, read)
}

/// By file, then by place; a diagnostic without a place comes first.
fn order(diagnostic: &Diagnostic) -> (&str, usize, &str) {
    let span = diagnostic.labels.first().map(|label| &label.span);
    span.map_or(("", 0, diagnostic.code), |s| (s.source.name.as_str(), s.offset, diagnostic.code))
}

fn document(reader: &mut Reader, single: bool) -> Option<Document> {
    let mut root = match tree::parse(&Arc::clone(&reader.source)) {
        Ok(root) => root,
        Err(problem) => {
            // Without a tree nobody knows where secrets are: whatever looks like one is hidden.
            let guessed = mask::guess(&reader.source.text);
            reader.secrets.extend(guessed);
            reader.problems.push(*problem);
            return None;
        }
    };
    match &mut root.data {
        Data::Map(pairs) => {
            let ignored = |key: &Node| matches!(&key.data, Data::Scalar { text, .. } if text.starts_with("x-"));
            let (extra, kept) = std::mem::take(pairs).into_iter().partition(|(key, _)| ignored(key));
            *pairs = kept;
            // Nobody reads them, and yet they may stand beside what is shown.
            reader.hide_what_sounds_secret(&Node { data: Data::Map(extra), place: root.place.clone() });
        }
        Data::Null => {
            let message = format!("`{}` is empty", reader.source.name);
            let empty = if single {
                Diagnostic::error("spec::empty", message)
            } else {
                Diagnostic::warning("spec::empty", message)
            };
            let place = span(&reader.source, 0..0);
            let help = "begin with `version: 1`; `rehome init` writes a file to start from";
            reader.problems.push(empty.at(place, "nothing is here").help(help));
            return None;
        }
        other => {
            let message = format!("a spec is a mapping, and this is {}", other.word());
            let help = "begin with `version: 1`, then `platforms:`, `domains:` and `accounts:`".to_owned();
            reader.hide_what_sounds_secret(&root);
            reader.problem("spec::not-a-mapping", message, &root.place, "here", Some(help));
            return None;
        }
    }
    if !version(&root, reader) {
        return None;
    }
    let document = Document::read(&root, reader);
    if !reader.problems.0.is_empty() {
        reader.hide_what_sounds_secret(&root);
    }
    document
}

/// The version is looked at before anything else: a file of another version is not judged by the rules of this one.
/// Whether it is to be read on.
fn version(root: &Node, reader: &mut Reader) -> bool {
    let Data::Map(pairs) = &root.data else { return false };
    let written = pairs.iter().find(|(key, _)| matches!(&key.data, Data::Scalar { text, .. } if text == "version"));
    let Some((_, version)) = written else {
        let missing = Diagnostic::error("spec::version-missing", "the spec does not say its version");
        let place = pairs.first().map_or(Place::new(&reader.source, 0..0), |(key, _)| key.place.clone());
        reader.problems.push(missing.locate(&place, "before this").help("begin the file with `version: 1`"));
        return true;
    };
    let number = match &version.data {
        Data::Scalar { text, .. } => text.parse::<u64>().ok(),
        _ => None,
    };
    let Some(number) = number.filter(|number| *number != VERSION) else { return true };
    let help = if number > VERSION {
        "a newer rehome wrote this: update rehome".to_owned()
    } else {
        format!("write `version: {VERSION}`")
    };
    let label = format!("version {VERSION} is read");
    let message = format!("this rehome does not read version {number}");
    reader.problem("spec::version-unsupported", message, &version.place, &label, Some(help));
    false
}

fn tables(
    document: &Document,
    problems: &mut Diagnostics,
    masks: &mut mask::Masks,
    fetch: Fetch<'_>,
) -> Vec<validate::Table> {
    let mut out = Vec::new();
    for file in document.accounts_from.iter().flat_map(|files| &files.value.0) {
        let Some(csv) = &file.value.csv else {
            let missing = Diagnostic::error("spec::missing-field", "`accounts_from` names no table");
            problems.push(missing.locate(&file.place, "here").help("say which: `accounts_from: { csv: people.csv }`"));
            continue;
        };
        match fetch(&csv.value) {
            Ok(text) => {
                let mut reader = Reader::new(Arc::new(text));
                out.push(people::read(&file.value, &mut reader));
                problems.0.extend(reader.problems.0);
                masks.add(reader.source, reader.secrets);
            }
            Err(problem) => problems.push(problem.locate(&csv.place, "named here")),
        }
    }
    out
}
