//! A spec of what exists.

use rehome::sandbox::residents::{EMAIL_PRO, EXCHANGE, EXCHANGE_2, MX_PLAN, ZIMBRA};

use crate::world::World;

const NAMES: [&str; 6] = ["exchange", "exchange2", "emailpro", "mxplan", "legacy", "zimbra"];

/// Platforms alone.
fn platforms() -> String {
    let mut out = "version: 1\nplatforms:\n".to_owned();
    let kinds = ["ovh-exchange", "ovh-exchange", "ovh-email-pro", "ovh-mxplan", "ovh-mxplan-legacy", "ovh-zimbra"];
    let services = [EXCHANGE, EXCHANGE_2, EMAIL_PRO, MX_PLAN, "red.example", ZIMBRA];
    for ((name, kind), service) in NAMES.into_iter().zip(kinds).zip(services) {
        let keys = if name == "exchange" {
            "{ application_key: { env: OVH_APPLICATION_KEY }, application_secret: { env: OVH_APPLICATION_SECRET }, \
             consumer_key: { env: OVH_CONSUMER_KEY } }"
        } else {
            "{ same_as: exchange }"
        };
        out.push_str(&format!("  {name}: {{ kind: {kind}, service: {service}, credentials: {keys} }}\n"));
    }
    out
}

#[test]
fn what_every_platform_holds_becomes_a_spec_that_plans_to_nothing_and_is_in_good_form() {
    let world = World::with(&platforms());
    for name in NAMES {
        let file = format!("{name}.yaml");
        let ran = world.run(&["import", name, "--spec", "rehome.yaml", "--out", &file]).ends(0);
        assert!(!ran.err.contains("warning"), "{ran}");
        let plan = world.run(&["plan", &file, "--no-logins", "--detailed-exitcode"]).ends(0);
        assert!(plan.out.contains("Nothing to do"), "{plan}");
        world.run(&["fmt", &file, "--check"]).ends(0);
    }
    let spec = world.read("exchange.yaml");
    for part in
        ["aliases: [j.smith@blue.example, sales@blue.example]", "team@blue.example", "in use", "keep_copy: true"]
    {
        assert!(spec.contains(part), "{part}: {spec}");
    }
    let again = world.run(&["import", "exchange", "--spec", "rehome.yaml", "--out", "exchange.yaml"]).ends(1);
    assert!(again.err.contains("choose another name"), "{again}");
    let nobody = world.run(&["import", "exchange", "--spec", "rehome.yaml", "--domain", "bleu.example"]).ends(10);
    assert!(nobody.out.is_empty() && nobody.err.contains("exchange has no domain bleu.example"), "{nobody}");
    assert!(nobody.err.contains("help: it has amber.example, blue.example"), "{nobody}");
}

#[test]
fn a_move_between_two_platforms_is_written_and_plans() {
    let world = World::with(&platforms());
    let args = ["import", "--from", "exchange", "--to", "emailpro", "--domain", "blue.example", "--out", "move.yaml"];
    world.run(&[&args[..], &["--spec", "rehome.yaml"]].concat()).ends(0);
    let spec = world.read("move.yaml");
    assert!(spec.contains("# the target cannot hold these\n# groups:"), "{spec}");
    let plan = world.run(&["plan", "move.yaml", "--no-logins", "--no-dns", "--format", "json"]).ends(0);
    let plan: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    let ids: Vec<&str> = plan["body"]["actions"].as_array().unwrap().iter().filter_map(|a| a["id"].as_str()).collect();
    for local in ["john.smith", "jane.doe", "max.weber"] {
        assert!(ids.contains(&format!("account.create:emailpro/{local}@blue.example").as_str()), "{ids:?}");
    }
    assert!(!ids.iter().any(|id| id.contains("amber.example")), "{ids:?}");
    let unknown = world.run(&["import", "nowhere", "--spec", "rehome.yaml"]).ends(10);
    assert!(unknown.err.contains("it has emailpro, exchange"), "{unknown}");
}

#[test]
fn a_table_becomes_a_spec_without_the_passwords_in_it() {
    let world = World::demo();
    world.write("people.csv", "source,target,source_host,target_host,name\nann@old.example,ann@new.example,imap.old.example,imap.new.example,\"Ann, B.\"\nbob@new.example,,imap.old.example,imap.new.example,\n");
    let plain = world.run(&["import", "csv", "people.csv", "--out", "plain.yaml"]).ends(0);
    drop(plain);
    world.run(&["validate", "plain.yaml"]).ends(0);
    assert!(world.read("plain.yaml").contains("source_address: ann@old.example"));
    let head = "\"Source Type(IMAP/Exchange/POP)\";Source Server url;Source Login/Mail;Source Password;Destination Type;\"Destination Url(can be leaved empty if hosted by OVH)\";Destination Mail;Destination Password;Source admin mail (delegation);Destination Admin Mail (delegation)";
    let row = "IMAP;imap.old.example;ann@old.example;pw-of-ann-1;Exchange;https://ex3.mail.ovh.net/ews/exchange.asmx;ann@new.example;pw-of-ann-2;\"\";\"\"";
    world.write("omm.csv", &format!("{head}\n{row}\n"));
    let omm = world.run(&["import", "omm-csv", "omm.csv"]).ends(0);
    assert!(omm.out.contains("host: ex3.mail.ovh.net") && !omm.out.contains("pw-of-ann"), "{omm}");
    world.write("omm.yaml", &omm.out);
    world.run(&["validate", "omm.yaml"]).ends(0);
    world.write("omm.csv", &format!("{head}\n{}\n", row.replace("IMAP;", "POP;")));
    let pop = world.run(&["import", "omm-csv", "omm.csv"]).ends(10);
    assert!(pop.err.contains("omm.csv, line 2: a source of type `POP`"), "{pop}");
    world.run(&["import", "csv", "omm.csv"]).ends(10);
    world.run(&["import", "csv"]).ends(10);
}
