use proptest::prelude::*;

use super::*;

fn path(text: &str) -> FolderPath {
    FolderPath(text.split('/').map(str::to_owned).collect())
}

fn tree(delimiter: char, prefix: &str, folders: &[(&str, Option<SpecialUse>)]) -> Tree {
    let folders = folders.iter().map(|(p, special_use)| Folder {
        path: path(p),
        name: p.replace('/', &delimiter.to_string()),
        special_use: *special_use,
    });
    Tree { delimiter: Some(delimiter), prefix: prefix.to_owned(), folders: folders.collect() }
}

fn plain(delimiter: char, prefix: &str, folders: &[&str]) -> Tree {
    tree(delimiter, prefix, &folders.iter().map(|p| (*p, None)).collect::<Vec<_>>())
}

fn shown(pairs: &[Pair]) -> String {
    let line = |p: &Pair| format!("{} -> {}{}\n", p.source, p.target, if p.exists { " (exists)" } else { "" });
    pairs.iter().map(|p| names::composed(&line(p))).collect()
}

#[test]
fn purposes_decide_before_names() {
    let source = tree(
        '/',
        "",
        &[
            ("INBOX", None),
            ("Éléments envoyés", Some(SpecialUse::Sent)),
            ("Éléments envoyés/2020", None),
            ("Sent", None),
            ("Papierkorb", None),
            ("Projekte/Zürich", None),
        ],
    );
    let target =
        tree('/', "", &[("INBOX", None), ("Sent", Some(SpecialUse::Sent)), ("Deleted Items", Some(SpecialUse::Trash))]);
    insta::assert_snapshot!(shown(&map_folders(&source, &target, &Learned::default())), @r"
    INBOX -> INBOX (exists)
    Papierkorb -> Deleted Items (exists)
    Projekte/Zürich -> Projekte/Zürich
    Sent -> Sent (2)
    Éléments envoyés -> Sent (exists)
    Éléments envoyés/2020 -> Sent/2020
    ");
}

#[test]
fn prefixes_and_delimiters_are_translated() {
    let source = plain('.', "INBOX.", &["INBOX", "INBOX/Work", "INBOX/Work/a/b", "INBOX/Sent"]);
    let target = plain('/', "", &["INBOX", "Sent Items"]);
    insta::assert_snapshot!(shown(&map_folders(&source, &target, &Learned::default())), @r"
    INBOX -> INBOX (exists)
    INBOX/Sent -> Sent Items (exists)
    INBOX/Work -> Work
    INBOX/Work/a/b -> Work/a/b
    ");
    let back = plain('/', "", &["INBOX", "INBOX/Sub", "Sub", "v1.2"]);
    let dotted = plain('.', "INBOX.", &["INBOX"]);
    insta::assert_snapshot!(shown(&map_folders(&back, &dotted, &Learned::default())), @r"
    INBOX -> INBOX (exists)
    INBOX/Sub -> INBOX.Sub
    Sub -> INBOX.Sub (2)
    v1.2 -> INBOX.v1=2E2
    ");
}

#[test]
fn twins_stay_apart_on_any_target() {
    let source = plain('/', "", &["archive", "Archive", "ENTW\u{dc}RFE", "Entwu\u{308}rfe"]);
    let target = plain('/', "", &["ARCHIVE"]);
    let careful = map_folders(&source, &target, &Learned::default());
    assert!(careful.iter().any(|p| p.target == "archive"));
    let careless = map_folders(&source, &target, &Learned { folds: true, ..Learned::default() });
    insta::assert_snapshot!(shown(&careless), @r"
    Archive -> ARCHIVE (exists)
    ENTWÜRFE -> ENTWÜRFE
    Entwürfe -> Entwürfe (2)
    archive -> archive (2)
    ");
}

#[test]
fn an_existing_folder_in_another_composition_is_used() {
    let source = plain('/', "", &["Mu\u{308}ll"]);
    let target = plain('/', "", &["M\u{fc}ll"]);
    let pairs = map_folders(&source, &target, &Learned::default());
    assert_eq!((pairs[0].target.as_str(), pairs[0].exists), ("M\u{fc}ll", true));
}

#[test]
fn refused_names_are_written_so_that_they_can_be_read_back() {
    let source = plain('/', "", &["a.b", "a.b/c"]);
    let target = plain('/', "", &[]);
    let strict = Learned { strict: BTreeSet::from([path("a.b")]), ..Learned::default() };
    insta::assert_snapshot!(shown(&map_folders(&source, &target, &strict)), @r"
    a.b -> a=2Eb
    a.b/c -> a=2Eb/c
    ");
    let flat = Learned { flat: BTreeSet::from([path("a.b/c")]), ..Learned::default() };
    insta::assert_snapshot!(shown(&map_folders(&source, &target, &flat)), @r"
    a.b -> a.b
    a.b/c -> a.b=2Fc
    ");
}

#[test]
fn what_earlier_passes_chose_stays() {
    let source = plain('/', "", &["Sent", "x"]);
    let target = tree('/', "", &[("Sent Items", Some(SpecialUse::Sent)), ("y", None)]);
    let known = BTreeMap::from([(path("Sent"), "Sent".to_owned()), (path("x"), "y".to_owned())]);
    let pairs = map_folders(&source, &target, &Learned { known, ..Learned::default() });
    insta::assert_snapshot!(shown(&pairs), @r"
    Sent -> Sent
    x -> y (exists)
    ");
}

#[test]
fn a_filter_covers_what_lies_below() {
    let filter = |include: &[&str], exclude: &[&str]| MailFilter {
        include: include.iter().map(|n| (*n).to_owned()).collect(),
        exclude: exclude.iter().map(|n| (*n).to_owned()).collect(),
        ..MailFilter::default()
    };
    assert!(included(&filter(&[], &[]), &path("A")));
    assert!(included(&filter(&["A", "inbox"], &[]), &path("A/b")));
    assert!(included(&filter(&["A", "inbox"], &[]), &path("INBOX")));
    assert!(!included(&filter(&["A"], &[]), &path("Ab")));
    assert!(!included(&filter(&["A"], &["A/b"]), &path("A/b/c")));
}

fn component() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-cA-C.=/ ]{1,4}",
        Just("Sent".to_owned()),
        Just("Gesendet".to_owned()),
        Just("Trash".to_owned()),
        Just("INBOX".to_owned()),
        Just("u\u{308}".to_owned()),
        Just("\u{fc}".to_owned()),
        Just("a (2)".to_owned()),
    ]
}

fn trees() -> impl Strategy<Value = Tree> {
    let uses = proptest::option::weighted(
        0.2,
        prop_oneof![Just(SpecialUse::Sent), Just(SpecialUse::Trash), Just(SpecialUse::Archive)],
    );
    let folder = (proptest::collection::vec(component(), 1..4), uses);
    let shape = (prop_oneof![Just('/'), Just('.')], any::<bool>(), proptest::collection::vec(folder, 0..12));
    shape.prop_map(|(delimiter, prefixed, folders)| {
        let prefix = if prefixed { format!("INBOX{delimiter}") } else { String::new() };
        let folders = folders.into_iter().map(|(components, special_use)| {
            let components: Vec<String> = components.iter().map(|c| c.replace(delimiter, "_")).collect();
            let name = components.join(&delimiter.to_string());
            Folder { path: FolderPath(components), name, special_use }
        });
        Tree { delimiter: Some(delimiter), prefix, folders: folders.collect() }
    })
}

proptest! {
    #[test]
    fn every_folder_gets_a_place_of_its_own(
        source in trees(), target in trees(), folds in any::<bool>(),
        strict in proptest::collection::vec(any::<bool>(), 12), flat in proptest::collection::vec(any::<bool>(), 12),
    ) {
        let pick = |mask: &[bool]| -> BTreeSet<FolderPath> {
            source.folders.iter().zip(mask).filter(|(_, m)| **m).map(|(f, _)| f.path.clone()).collect()
        };
        let learned = Learned { folds, strict: pick(&strict), flat: pick(&flat), ..Learned::default() };
        let pairs = map_folders(&source, &target, &learned);
        let sources: BTreeSet<_> = source.folders.iter().map(|f| &f.path).collect();
        prop_assert_eq!(pairs.len(), sources.len());
        let key = |n: &str| if folds { names::folded(n) } else { n.to_owned() };
        let targets: BTreeSet<_> = pairs.iter().map(|p| key(&p.target)).collect();
        prop_assert_eq!(targets.len(), pairs.len());
        let names: BTreeSet<_> = target.folders.iter().map(|f| f.name.as_str()).collect();
        for pair in &pairs {
            prop_assert_eq!(pair.exists, names.contains(pair.target.as_str()));
        }
        let known = pairs.iter().map(|p| (p.source.clone(), p.target.clone())).collect();
        let again = map_folders(&source, &target, &Learned { known, ..learned });
        let names = |pairs: &[Pair]| pairs.iter().map(|p| p.target.clone()).collect::<Vec<_>>();
        prop_assert_eq!(names(&pairs), names(&again), "a later pass maps as the first did");
    }
}

#[test]
fn short_names_are_apart_and_within_their_length() {
    let long = "x".repeat(300);
    let (one, two) = (format!("{long}1"), format!("{long}2"));
    let source = plain('/', "", &[&one, &two, &format!("{one}/below")]);
    let short = source.folders.iter().filter(|f| f.path.0.len() == 1).map(|f| f.path.clone()).collect();
    let target = plain('.', "INBOX.", &["INBOX"]);
    let pairs = map_folders(&source, &target, &Learned { short, ..Learned::default() });
    assert_eq!(pairs.len(), 3);
    for pair in &pairs {
        assert!(pair.target.len() < 60 && pair.target.starts_with("INBOX.xxxx"), "{}", pair.target);
    }
    let names: BTreeSet<&String> = pairs.iter().map(|p| &p.target).collect();
    assert_eq!(names.len(), 3);
    assert!(pairs.iter().any(|p| p.target.ends_with(".below")), "what lies below moves along");
}
