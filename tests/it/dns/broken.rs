//! Domains whose signatures do not hold, by the program: nothing of them is moved, and nothing is created.

use std::path::Path;

use super::daemons::{Daemon, here, nsd, signed, unbound};
use crate::{
    world::World,
    zones::{ZONE, apply, parallel},
};

const ROWS: &str = "$ORIGIN blue.example.\n$TTL 300\n@ IN SOA ns1 host 1 3600 600 86400 300\n@ IN NS ns1\n\
                    ns1 IN A 127.0.0.1\n@ IN MX 10 mx.old.example.\n@ IN TXT \"v=spf1 ip4:198.51.100.7 -all\"\n\
                    mx.new IN A 127.0.0.1\n";

/// The zone as it was signed, or changed afterwards, at a server with authority; and a resolver that validates.
fn zone(folder: &Path, broken: bool) -> (Daemon, Daemon) {
    let (text, ds) = signed(folder, ZONE, ROWS);
    let forged = text.replace("10 mx.old.example.", "10 mx.evil.example.");
    assert_ne!(forged, text);
    let server = nsd(folder, &[(ZONE, if broken { &forged } else { &text })]);
    let resolver = unbound(folder, server.address, &[(ZONE, &ds)]);
    (server, resolver)
}

/// A move of that zone's MX. Its TTL is low enough, so nothing is written before it.
fn moving(server: &Daemon, resolver: &Daemon) -> World {
    let world = parallel("{ ttl: 300, margin: 0 }");
    let places = format!("manage: ovh-zone, servers: [\"{}\"], resolvers: [\"{}\"]", server.address, resolver.address);
    world.respec("manage: ovh-zone", &places);
    world.respec("10 mx.new.example", "10 mx.new.blue.example");
    world.unset("REHOME_DNS_SERVERS");
    world
}

#[test]
fn a_move_waits_while_signatures_do_not_hold_and_no_longer() {
    if !here() {
        return;
    }
    for broken in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let (server, resolver) = zone(folder.path(), broken);
        let world = moving(&server, &resolver);
        let first = apply(&world, &["--no-wait", "--ack", "mx-change"]).ends(7);
        world.set("REHOME_AHEAD_SECONDS", "90000");
        let later = world.run(&["resume", "rehome.yaml", "--no-wait"]).ends(7);
        let told = "the signatures of blue.example MX do not hold";
        assert_eq!((first.err.contains(told), later.err.contains(told)), (broken, broken), "{first}{later}");
        // Somebody's word is asked for only where it could move.
        assert_eq!(later.err.contains("can move now"), !broken, "{later}");
        let verified = world.run(&["verify", "rehome.yaml", "--what", "dns"]);
        assert_eq!(verified.out.contains("dnssec-bogus"), broken, "{verified}");
        if broken {
            world.run(&["cutover", "approve", ZONE, "rehome.yaml"]).ends(0);
            let held = world.run(&["resume", "rehome.yaml", "--no-wait"]).ends(7);
            assert!(held.err.contains(told), "nobody's word moves it: {held}");
        }
        world.leaves_more_to_do();
    }
}

#[test]
fn what_a_validating_resolver_refuses_is_unknown_and_never_missing() {
    if !here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (server, resolver) = zone(folder.path(), true);
    let spec = format!(
        "version: 1\nplatforms:\n  new: {{ kind: imap, imap: {{ host: 127.0.0.1 }} }}\ndomains:\n  blue.example:\n    \
         platform: new\n    dns:\n      manage: rfc2136\n      servers: [\"{0}\"]\n      mx: [\"10 mx.new.example\"]\n      \
         dmarc: \"v=DMARC1; p=none\"\n      verify: [mx, spf, dmarc]\n      update: {{ server: \"{1}\", key: k, secret: \
         {{ env: TSIG }} }}\n",
        resolver.address, server.address
    );
    let world = World::with(&spec);
    world.set("TSIG", "c2VjcmV0");
    world.unset("REHOME_DNS_SERVERS");
    let plan = world.run(&["plan", "rehome.yaml"]).ends(12);
    assert!(plan.out.contains("dns-unknown") && !plan.out.contains("set records"), "{plan}");
    assert!(!plan.out.contains("publish"), "{plan}");
    apply(&world, &[]).ends(12);
    let verified = world.run(&["verify", "rehome.yaml", "--what", "dns"]).ends(12);
    assert!(verified.out.contains("dns-unknown") && !verified.out.contains("missing"), "{verified}");
}
