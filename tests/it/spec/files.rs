//! Specs on disk.

use std::fs;

use rehome::spec;

use super::{BASE, refused_files};

#[test]
fn a_folder_is_read_in_the_order_of_names_and_hidden_files_are_not() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("b.yml"), "version: 1\naccounts: { ann@mydomain.ovh: }\n").unwrap();
    fs::write(dir.path().join("a.yaml"), format!("{BASE}accounts_from: {{ csv: p.csv }}\n")).unwrap();
    fs::write(dir.path().join("p.csv"), "address\nbob@mydomain.ovh\n").unwrap();
    fs::write(dir.path().join(".hidden.yaml"), "nonsense").unwrap();
    fs::write(dir.path().join("notes.txt"), "nonsense").unwrap();
    let loaded = spec::load(dir.path()).map_err(|p| p.render(false, 100)).unwrap();
    assert_eq!(loaded.spec.accounts.len(), 2);
    assert_eq!(loaded.spec.base, dir.path());
    let single = spec::load(&dir.path().join("a.yaml")).map_err(|p| p.render(false, 100)).unwrap();
    assert_eq!(single.spec.base, dir.path());
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let shown = |path: &std::path::Path| {
        let text = spec::load(path).unwrap_err().render(false, 100);
        text.replace(&*dir.path().to_string_lossy(), "DIR")
    };
    insta::assert_snapshot!(shown(&dir.path().join("none.yaml")), @"
    spec::unreadable

      × `DIR/none.yaml` cannot be read: No such file or directory (os error 2)
      help: give the path of a spec file or of a folder of them
    ");
    insta::assert_snapshot!(shown(dir.path()), @"
    spec::empty

      × the folder `DIR` holds no spec
      help: a spec is a `.yaml` file, or a folder of such files; `rehome init` writes one to start
            from
    ");
    fs::write(dir.path().join("latin1.yaml"), b"version: 1\nx-name: M\xfcller\n").unwrap();
    insta::assert_snapshot!(shown(dir.path()), @"
    spec::not-utf8

      × `DIR/latin1.yaml` is not UTF-8: line 2 has another encoding
      help: save the file as UTF-8
    ");
}

#[test]
fn a_file_without_anything_among_others_is_only_doubtful() {
    let loaded = spec::parse_files(&[("a.yaml", BASE), ("b.yaml", "# later\n")]).unwrap();
    assert_eq!(loaded.warnings.0[0].code, "spec::empty");
}

#[test]
fn every_file_says_its_version_and_problems_come_in_order() {
    let shown = refused_files(&[("b.yaml", "accounts: {}\n"), ("a.yaml", "version: 3\n"), ("c.yaml", "domains: []\n")]);
    let order: Vec<_> = shown.lines().filter(|l| l.contains("─[") || l.starts_with("spec::")).collect();
    insta::assert_snapshot!(order.join("\n"), @"
    spec::version-unsupported
       ╭─[a.yaml:1:10]
    spec::version-missing
       ╭─[b.yaml:1:1]
    spec::version-missing
       ╭─[c.yaml:1:1]
    spec::wrong-type
       ╭─[c.yaml:1:10]
    ");
}

#[test]
fn a_fleet_of_five_megabytes_is_read() {
    let mut text = BASE.to_owned();
    text.push_str("accounts:\n");
    for i in 0..20_000 {
        text.push_str(&format!(
            "  person.number{i:05}@mydomain.ovh:\n    name: Person Number {i}\n    first_name: Person\n    last_name: \
             Number {i}\n    quota: 10 GB\n    aliases: [p{i}@mydomain.ovh, p.{i}@mydomain.ovh]\n    # {}\n",
            "a remark ".repeat(8)
        ));
    }
    assert!(text.len() > 5_000_000, "{}", text.len());
    let loaded = spec::parse("fleet.yaml", &text).map_err(|p| p.render(false, 100)).unwrap();
    assert_eq!(loaded.spec.accounts.len(), 20_000);
}

#[test]
fn accounts_that_all_use_one_anchor_are_no_bomb() {
    let mut text = BASE.to_owned();
    text.push_str("x-person: &person { quota: 5 GB, hidden: false }\naccounts:\n");
    for i in 0..5_000 {
        text.push_str(&format!("  p{i}.person@mydomain.ovh: {{ <<: *person, name: P {i} }}\n"));
    }
    let loaded = spec::parse("fleet.yaml", &text).map_err(|p| p.render(false, 100)).unwrap();
    assert!(loaded.spec.accounts.values().all(|a| a.profile.quota_octets == Some(5 << 30)));
}
