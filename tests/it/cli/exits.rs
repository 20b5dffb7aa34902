//! Every code of the table, provoked at least once. Codes whose message matters more than their number have their
//! scenario in another file: 6 and 130 in `interrupts`, 4 in `guards`, 5 in `plans`, 10 to 12 also in `secrets` and `platforms`.

use insta::assert_snapshot;
use rehome::{
    diag::Exit,
    model::{Address, Domain, RecordType},
    sandbox::{
        api::{Fault, FaultKind, When},
        residents::{EMAIL_PRO, EXCHANGE},
    },
};

use super::apply;
use crate::world::World;

#[test]
fn the_page_of_exit_codes_is_the_table() {
    let page = include_str!("../../../docs/exit-codes.md");
    let rows: Vec<(&str, &str)> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
        .filter(|(code, _)| code.parse::<u8>().is_ok())
        .collect();
    let table: Vec<(String, &str)> = Exit::ALL.iter().map(|e| (e.code().to_string(), e.meaning())).collect();
    assert_eq!(rows, table.iter().map(|(code, meaning)| (code.as_str(), *meaning)).collect::<Vec<_>>());
}

#[test]
fn exit_0_and_2_tell_nothing_to_do_from_changes_when_asked() {
    let world = World::demo();
    world.run(&["plan", "rehome.yaml"]).ends(0);
    world.run(&["plan", "rehome.yaml", "--detailed-exitcode"]).ends(2);
    apply(&world).ends(0);
    world.run(&["plan", "rehome.yaml", "--detailed-exitcode"]).ends(0);
    let status = world.run(&["status", "rehome.yaml"]).ends(0);
    assert_snapshot!(status, @r"
    $ rehome status rehome.yaml
    run-000001 of plan [ID] ended [TIME] with 0 (done, or nothing to do).

    3 mailboxes, 3 verified
      jane.doe@blue.example    2 passes, 8 of 8 messages, verified [TIME]
      john.smith@blue.example  2 passes, 8 of 8 messages, verified [TIME]
      max.weber@blue.example   2 passes, 8 of 8 messages, verified [TIME]
    --- exit 0
    ");
    world.run(&["verify", "rehome.yaml"]).ends(0);
    world.run(&["doctor", "rehome.yaml"]).ends(0);
}

#[test]
fn exit_1_is_for_what_has_no_code_of_its_own() {
    let world = World::demo();
    assert_snapshot!(world.run(&["journal", "log", "rehome.yaml"]).ends(1), @r"
    $ rehome journal log rehome.yaml
    --- stderr
    error: there is no journal in ./.rehome
    help: nothing was applied from here yet; `--workspace DIR` names another folder
    --- exit 1
    ");
}

#[test]
fn exit_3_when_one_account_fails_and_the_others_go_on() {
    let world = World::demo();
    let path = format!("/email/pro/{EMAIL_PRO}/account/jane.doe@blue.example/alias");
    let kind = FaultKind::Status { code: 400, retry_after: None };
    world.sandbox().api().faults().add(Fault { times: 0, ..Fault::once("POST", &path, kind, When::Before) });
    let ran = world.run(&["apply", "rehome.yaml", "--auto-approve", "--quiet"]).ends(3);
    assert_snapshot!(ran.err, @"");
    assert!(ran.out.contains("a fault was asked for"), "{ran}");
    assert_snapshot!(world.run(&["status", "rehome.yaml"]), @r"
    $ rehome status rehome.yaml
    run-000001 of plan [ID] ended [TIME] with 3 (partly applied; can be resumed).
    `rehome resume` goes on with it, `rehome plan` looks afresh.

    Not done: 5 of 30 actions; next
      >  free alias  jane@blue.example      of jane.doe01@blue.example on exchange
      =  copy        jane.doe@blue.example
                     from exchange jane.doe01@blue.example, about 8 messages, 121.0 KiB

    2 mailboxes, 2 verified
      john.smith@blue.example  2 passes, 8 of 8 messages, verified [TIME]
      max.weber@blue.example   2 passes, 8 of 8 messages, verified [TIME]
    --- exit 3
    ");
    world.sandbox().api().faults().clear();
    world.run(&["resume", "rehome.yaml"]).ends(0);
}

#[test]
fn exit_7_waits_for_the_validation_of_a_domain() {
    let world = World::demo();
    world.edit(|w| w.settings.validate_domains = true);
    let ran = world.run(&["apply", "rehome.yaml", "--auto-approve", "--no-wait", "--quiet"]).ends(7);
    assert!(ran.out.contains("Waiting") || ran.out.contains("waits"), "{ran}");
    let blue = Domain::parse("blue.example").unwrap();
    let label = world.edit(|w| w.hosted[EMAIL_PRO].domains[&blue].cname.clone()).unwrap();
    assert!(ran.out.contains(&label), "it must say which record is missing: {ran}");
    let status = world.run(&["status", "rehome.yaml"]).ends(3);
    assert!(status.out.contains("Not done: 28 of 30 actions; next\n  |  wait for domain  blue.example"), "{status}");
    world.sandbox().zones().set(&format!("{label}.blue.example"), RecordType::Cname, &["ovh.com"], 60).unwrap();
    world.run(&["resume", "rehome.yaml"]).ends(0);
}

#[test]
fn exit_8_when_dns_is_not_what_the_new_platform_wants() {
    let world = World::demo();
    world.autodiscover("ex5.mail.ovh.net");
    world.run(&["apply", "rehome.yaml", "--auto-approve", "--quiet"]).ends(8);
    let verify = world.run(&["verify", "rehome.yaml", "--what", "dns"]).ends(8);
    assert_snapshot!(verify, @r"
    $ rehome verify rehome.yaml --what dns
    DNS of blue.example
      error   _autodiscover._tcp.blue.example leads elsewhere than to the platform (autodiscover-wrong)
                expected SRV 0 0 443 pro1.mail.ovh.net
                found    0 0 443 ex5.mail.ovh.net
                fix      publish
                         _autodiscover._tcp.blue.example. SRV 0 0 443 pro1.mail.ovh.net.
                seen     SRV with TTL 300 at 127.0.0.1:[PORT]
                rule     RFC 2782
      ok MX, SPF, DMARC as expected
      -- 1 note (use -v)
      records (+ publish, - not the platform's, = as wanted, ? unknown)
        - _autodiscover._tcp.blue.example SRV 0 0 443 ex5.mail.ovh.net
        + _autodiscover._tcp.blue.example SRV 0 0 443 pro1.mail.ovh.net
      =  5 records as the platform wants

    Total: 1 error, 1 info, 4 ok.
    --- exit 8
    ");
    world.autodiscover("pro1.mail.ovh.net");
    world.run(&["resume", "rehome.yaml"]).ends(0);
}

#[test]
fn exit_9_when_nobody_can_tell_whether_a_change_was_made() {
    let world = World::demo();
    let path = format!("/email/exchange/{EXCHANGE}/service/{EXCHANGE}/account/max.weber@blue.example");
    world.sandbox().api().faults().add(Fault::once("PUT", &path, FaultKind::Latency { ms: 60_000 }, When::Before));
    let mut run = world.start(&["apply", "rehome.yaml", "--auto-approve"]);
    let name = format!("api.PUT {path}");
    run.until("the rename of max.weber", |w| w.sandbox().api().counters().get(&name) > 0);
    run.signal("KILL");
    run.end();
    // Somebody renamed him in the meantime: he is neither where he was nor where he should be.
    let (max, elsewhere) = ("max.weber@blue.example", "m.weber@blue.example");
    let rename = |from: &str, to: &str| {
        let (from, to) = (Address::parse(from).unwrap(), Address::parse(to).unwrap());
        world.edit(|w| {
            let accounts = &mut w.hosted.get_mut(EXCHANGE).unwrap().accounts;
            accounts.values_mut().find(|a| a.address == from).unwrap().address = to.clone();
        });
        world.wait_for(world.sandbox().mail().rename(EXCHANGE, &from, &to)).unwrap();
    };
    rename(max, elsewhere);
    let ran = world.run(&["resume", "rehome.yaml", "--quiet"]).ends(9);
    assert_snapshot!(ran, @r"
    $ rehome resume rehome.yaml --quiet
    run-000001: 16 actions done
    Mail: 16 at the source = 16 copied + 0 there already + 0 left out + 0 failed + 0 gone meanwhile, 231.2 KiB sent.

    A person must decide:
      account.rename:exchange/max.weber@blue.example
          neither max.weber@blue.example nor max.weber01@blue.example is an account
          not done because of it: 6 actions
      Look at the platform, then: rehome journal resolve ACTION --as done|retry, rehome resume
    --- exit 9
    ");
    assert_snapshot!(world.run(&["status", "rehome.yaml"]).ends(9), @r"
    $ rehome status rehome.yaml
    run-000001 of plan [ID] ended [TIME] with 9 (a person must decide).
    `rehome resume` goes on with it, `rehome plan` looks afresh.

    Nobody but you can tell whether these were done
      account.rename:exchange/max.weber@blue.example
          neither max.weber@blue.example nor max.weber01@blue.example is an account
      Look at the platform, then: rehome journal resolve ACTION --as done|retry

    2 mailboxes, 2 verified
      jane.doe@blue.example    2 passes, 8 of 8 messages, verified [TIME]
      john.smith@blue.example  2 passes, 8 of 8 messages, verified [TIME]
    --- exit 9
    ");
    rename(elsewhere, max);
    let action = "account.rename:exchange/max.weber@blue.example";
    let resolved = world.run(&["journal", "resolve", action, "--as", "retry", "--spec", "rehome.yaml"]);
    assert_snapshot!(resolved.ends(0), @r"
    $ rehome journal resolve account.rename:exchange/max.weber@blue.example --as retry --spec rehome.yaml
    account.rename:exchange/max.weber@blue.example of run-000001 is recorded as to be tried again. Go on with `rehome resume`.
    --- exit 0
    ");
    world.run(&["resume", "rehome.yaml"]).ends(0);
}

#[test]
fn exit_10_for_what_was_typed_wrong() {
    let world = World::demo();
    assert_snapshot!(world.run(&["aply"]).ends(10), @r"
    $ rehome aply
    --- stderr
    error: unrecognized subcommand 'aply'

      tip: a similar subcommand exists: 'apply'

    Usage: rehome [OPTIONS] <COMMAND>

    For more information, try '--help'.
    --- exit 10
    ");
    assert_snapshot!(world.run(&["plan", "nowhere.yaml"]).ends(10), @r"
    $ rehome plan nowhere.yaml
    --- stderr
    spec::unreadable

      × `nowhere.yaml` cannot be read: No such file or directory (os error 2)
      help: give the path of a spec file or of a folder of them

    1 error
    --- exit 10
    ");
    assert_snapshot!(world.run(&["verify", "rehome.yaml", "--account", "nobody@blue.example"]).ends(10), @r"
    $ rehome verify rehome.yaml --account nobody@blue.example
    --- stderr
    error: the spec has no account nobody@blue.example
    --- exit 10
    ");
    assert_snapshot!(world.run(&["journal", "show", "run-7", "--spec", "rehome.yaml"]), @r"
    $ rehome journal show run-7 --spec rehome.yaml
    --- stderr
    error: there is no journal in ./.rehome
    help: nothing was applied from here yet; `--workspace DIR` names another folder
    --- exit 1
    ");
}
