//! The files of the repository: examples, the schema, the file to start from, the documentation.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use rehome::spec::{self, schema};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every example, each folder below as one.
fn examples() -> Vec<PathBuf> {
    let mut out: Vec<_> = fs::read_dir(root("specs/examples")).unwrap().map(|e| e.unwrap().path()).collect();
    out.sort();
    assert!(out.len() >= 6, "{out:?}");
    out
}

fn yaml_files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let files = fs::read_dir(path).unwrap().map(|e| e.unwrap().path());
    files.filter(|f| f.extension().is_some_and(|e| e == "yaml")).collect()
}

#[test]
fn every_example_is_valid_and_raises_no_doubt() {
    for example in examples() {
        match spec::load(&example) {
            Ok(loaded) => assert!(loaded.warnings.0.is_empty(), "{}", loaded.warnings.render(false, 100)),
            Err(problems) => panic!("{}", problems.render(false, 100)),
        }
    }
}

#[test]
fn every_example_fits_the_schema_and_names_it() {
    let validator = jsonschema::validator_for(&schema::document()).unwrap();
    for file in examples().iter().flat_map(|e| yaml_files(e)) {
        let text = fs::read_to_string(&file).unwrap();
        let first = text.lines().next().unwrap();
        let named = first.strip_prefix("# yaml-language-server: $schema=").expect("the first line names the schema");
        let schema = file.parent().unwrap().join(named).canonicalize().unwrap();
        assert_eq!(schema, root(schema::PATH).canonicalize().unwrap(), "{}", file.display());
        let value: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", file.display());
    }
}

/// The schema in the repository is the one that the code makes. `REHOME_UPDATE=1` writes it.
#[test]
fn the_schema_file_is_true() {
    let path = root(schema::PATH);
    if std::env::var_os("REHOME_UPDATE").is_some() {
        fs::write(&path, schema::text()).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), schema::text(), "run this test with REHOME_UPDATE=1");
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let validator = jsonschema::validator_for(&schema::document()).unwrap();
    for text in [
        "platforms: {}",
        "version: 2",
        "version: 1\nacounts: {}",
        "version: 1\nplatforms: { a: { kind: ovh-exchnge } }",
        "version: 1\nplatforms: { a: { kind: imap, imap: { port: 1 } } }",
        "version: 1\ndomains: { a.b: {} }",
        "version: 1\naccounts: { a@b.c: { quota: 10 } }",
        "version: 1\naccounts: { a@b.c: { password: hunter2 } }",
        "version: 1\naccounts: { a@b.c: { password: { generate: { deliver: { command: [x] } } } } }",
        "version: 1\naccounts: { a@b.c: { delegates: [{ to: x@y.z, rights: [all] }] } }",
    ] {
        let value: serde_json::Value = serde_saphyr::from_str(text).unwrap();
        assert!(!validator.is_valid(&value), "{text}");
        assert!(spec::parse("t.yaml", text).is_err(), "{text}");
    }
}

#[test]
fn the_file_to_start_from_is_valid() {
    let loaded = match spec::parse("rehome.yaml", spec::template_init()) {
        Ok(loaded) => loaded,
        Err(problems) => panic!("{}", problems.render(false, 100)),
    };
    assert!(loaded.warnings.0.is_empty(), "{}", loaded.warnings.render(false, 100));
    let value: serde_json::Value = serde_saphyr::from_str(spec::template_init()).unwrap();
    assert!(jsonschema::validator_for(&schema::document()).unwrap().is_valid(&value));
}

/// All text below a folder.
fn text_below(folder: &str) -> String {
    let mut out = String::new();
    let mut open = vec![root(folder)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        } else {
            out.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
    out
}

fn codes(text: &str, before: &str) -> BTreeSet<String> {
    let rest = text.split(before).skip(1);
    let word = |part: &str| {
        part.chars().take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-').collect::<String>()
    };
    rest.map(word).filter(|code| !code.is_empty()).collect()
}

#[test]
fn every_code_is_documented_and_tested() {
    let known = codes(&text_below("src/spec"), "\"spec::");
    assert!(known.len() > 40, "{known:?}");
    let documented = codes(&fs::read_to_string(root("docs/spec.md")).unwrap(), "`spec::");
    assert_eq!(known, documented, "codes of the source and of docs/spec.md");
    let tested = codes(&text_below("tests/it/spec"), "spec::");
    let untested: Vec<_> = known.difference(&tested).collect();
    assert!(untested.is_empty(), "{untested:?}");
}

#[test]
fn every_key_is_documented() {
    fn keys(value: &serde_json::Value, out: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(map) => {
                if let Some(serde_json::Value::Object(properties)) = map.get("properties") {
                    out.extend(properties.keys().cloned());
                }
                map.values().for_each(|v| keys(v, out));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|v| keys(v, out)),
            _ => {}
        }
    }
    let mut all = BTreeSet::new();
    keys(&schema::document(), &mut all);
    let docs = fs::read_to_string(root("docs/spec.md")).unwrap();
    let missing: Vec<_> = all.iter().filter(|key| !docs.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_specs_of_the_documentation_are_valid() {
    let docs = fs::read_to_string(root("docs/spec.md")).unwrap();
    let blocks: Vec<_> = docs.split("```yaml\n").skip(1).filter_map(|b| b.split("```").next()).collect();
    let whole: Vec<_> = blocks.iter().filter(|b| b.contains("platforms:")).collect();
    assert!(!whole.is_empty());
    for block in whole {
        let loaded = spec::parse("docs.yaml", block).map_err(|p| p.render(false, 100)).unwrap();
        assert!(loaded.warnings.0.is_empty(), "{}", loaded.warnings.render(false, 100));
    }
}
