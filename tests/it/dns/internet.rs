//! Without `--server`: from the system's resolver to every server that the delegation names, in a network of its own.

use std::{collections::BTreeMap, ffi::OsStr};

use serde_json::Value;

use super::daemons;

/// The zone above, which says that ns2 and ns3 serve the domain.
const ABOVE: &str = "\
$ORIGIN example.
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 300
@ NS ns
ns A 127.0.0.2
host-1 A 127.0.0.3
host-2 A 127.0.0.4
host-3 A 127.0.0.5
moved NS host-2
moved NS host-3
mx-new A 192.0.2.1
mx-old A 192.0.2.2
";

/// The domain, which says that ns1 and ns2 do.
fn moved(mx: &str) -> String {
    format!(
        "$ORIGIN moved.example.\n$TTL 300\n@ SOA host-1.example. hostmaster 1 3600 600 86400 300\n@ NS \
         host-1.example.\n@ NS host-2.example.\n@ MX 1 {mx}.example.\n@ TXT \"v=spf1 -all\"\n"
    )
}

#[test]
fn a_server_that_only_the_zone_above_names_is_asked_and_told() {
    if !daemons::here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (new, old) = (moved("mx-new"), moved("mx-old"));
    let of = |text| [("moved.example", text)];
    let servers = [
        ("127.0.0.2", &[("example", ABOVE)][..]),
        ("127.0.0.3", &of(new.as_str())[..]),
        ("127.0.0.4", &of(new.as_str())[..]),
        ("127.0.0.5", &of(old.as_str())[..]),
    ];
    let binary = crate::binary::program();
    let words = ["dns", "check", "moved.example", "--format", "json"].map(OsStr::new);
    let program: Vec<&OsStr> = std::iter::once(binary.as_os_str()).chain(words).collect();
    let Some(ran) = daemons::alone(folder.path(), "example", &servers, &program) else { return };
    let told = String::from_utf8_lossy(&ran.stdout);
    let told: Value = serde_json::from_str(&told).unwrap_or_else(|e| panic!("{e}: {told}{ran:?}"));
    let mut findings = BTreeMap::new();
    for finding in told["checked"][0]["findings"].as_array().unwrap() {
        findings.insert(finding["code"].as_str().unwrap(), finding["actual"].as_str().unwrap_or_default());
    }
    assert_eq!(
        findings.get("delegation-differs"),
        Some(&"host-3.example only in the zone above; host-1.example only in the zone"),
        "{findings:#?}"
    );
    let differ = findings.get("servers-differ").unwrap_or_else(|| panic!("{findings:#?}"));
    assert!(differ.contains("host-3.example (127.0.0.5)") && differ.contains("host-1.example (127.0.0.3)"), "{differ}");
}
