//! The floors of the design: who may import whom.

use std::{collections::BTreeMap, fs, path::Path};

const FLOORS: [(&str, u8); 18] = [
    ("diag", 0),
    ("hands", 0),
    ("index", 0),
    ("model", 0),
    ("spec", 1),
    ("journal", 1),
    ("imap", 1),
    ("dns", 1),
    ("naming", 1),
    ("plan", 2),
    ("provider", 2),
    ("smtp", 2),
    ("observe", 3),
    ("copy", 3),
    ("apply", 4),
    ("report", 4),
    ("sandbox", 4),
    ("cli", 5),
];

/// Modules that decide by their arguments alone: no clock, no chance, no files, no network, no environment.
const PURE: [&str; 5] = ["diag", "model", "naming", "plan", "report"];

const IMPURE: [&str; 14] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::time::Instant",
    "std::time::SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "tokio::",
    "reqwest",
    "rusqlite",
    "rand::",
    "HashMap",
    "HashSet",
];

fn sources() -> Vec<(String, String, String)> {
    fn walk(dir: &Path, out: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            let module = name.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            (module, name, text)
        })
        .collect()
}

fn production(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let cut = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    text[..cut].lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn modules_import_only_from_lower_floors() {
    let floors: BTreeMap<_, _> = FLOORS.into_iter().collect();
    let mut wrong = Vec::new();
    for (module, name, text) in sources() {
        let Some(&floor) = floors.get(module.as_str()) else { continue };
        let flat: String = production(&text).map(|(_, l)| format!("{l}\n")).collect();
        let mut imported: Vec<String> = Vec::new();
        for part in flat.split("crate::").skip(1) {
            if let Some(list) = part.strip_prefix('{') {
                let mut depth = 0;
                let mut word = String::new();
                let mut start = true;
                for c in list.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if depth == 0 && start && (c.is_alphanumeric() || c == '_') => word.push(c),
                        c if depth == 0 && start && !word.is_empty() && !c.is_whitespace() => {
                            imported.push(std::mem::take(&mut word));
                            start = false;
                        }
                        _ => {}
                    }
                }
                if !word.is_empty() {
                    imported.push(word);
                }
            } else {
                imported.push(part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
        }
        for other in imported {
            let Some(&below) = floors.get(other.as_str()) else { continue };
            if other != module && below >= floor {
                wrong.push(format!("{name}: {module} (F{floor}) imports {other} (F{below})"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_touch_nothing() {
    let mut wrong = Vec::new();
    for (module, name, text) in sources() {
        if !PURE.contains(&module.as_str()) {
            continue;
        }
        for (line, code) in production(&text) {
            for word in IMPURE {
                if code.contains(word) {
                    wrong.push(format!("{name}:{}: {word}", line + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_can_be_typed_knows_nothing_of_what_is_done() {
    let typed = |name: &str| name == "cli/args.rs" || name.starts_with("cli/args/");
    let files: Vec<_> = sources().into_iter().filter(|(_, name, _)| typed(name)).collect();
    assert!(files.len() > 5, "{}", files.len());
    for (_, name, text) in files {
        let command = production(&text).find(|(_, line)| line.contains("command::") && !line.contains("clap"));
        assert!(command.is_none(), "{name}: {command:?}");
    }
}

#[test]
fn every_module_has_a_floor() {
    let floors: BTreeMap<_, _> = FLOORS.into_iter().collect();
    for (module, name, _) in sources() {
        assert!(matches!(module.as_str(), "lib" | "main") || floors.contains_key(module.as_str()), "{name}");
    }
}

#[test]
fn files_stay_under_600_lines() {
    let long: Vec<_> =
        sources().into_iter().map(|(_, name, text)| (name, text.lines().count())).filter(|(_, n)| *n > 600).collect();
    assert!(long.is_empty(), "split by the reader's question: {long:?}");
}
