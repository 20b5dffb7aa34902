//! What goes wrong outside: certificates, a journal that cannot be written, a platform that refuses half of a swap.
//! Each ends with its code and a message that says what to do.

use std::{fs, path::PathBuf, process::Command};

use insta::assert_snapshot;
use rehome::{
    model::Address,
    sandbox::{
        api::{Fault, FaultKind, When},
        residents::{EMAIL_PRO, EXCHANGE},
    },
};
use tokio_rustls::TlsAcceptor;

use super::apply;
use crate::{imap::tls, world::World};

/// A server with a certificate that nobody trusts. It answers nothing; a client that trusts it would wait for ever.
fn untrusted(world: &World) -> u16 {
    world.wait_for(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = tls::issue(&tls::authority("Nobody's authority"), &["127.0.0.1"], (2020, 2090));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let config = config.clone();
                tokio::spawn(async move {
                    if let Ok(stream) = TlsAcceptor::from(config).accept(tcp).await {
                        std::future::pending::<()>().await;
                        drop(stream);
                    }
                });
            }
        });
        port
    })
}

#[test]
fn an_api_whose_certificate_is_wrong_gets_no_credentials() {
    let world = World::demo();
    world.set("OVH_ENDPOINT", &format!("https://127.0.0.1:{}/1.0", untrusted(&world)));
    let plan = world.run(&["plan", "rehome.yaml"]).ends(12);
    assert_snapshot!(plan.err, @r"
    error: 2 platforms cannot be read
      reading emailpro: GET /auth/time: the certificate of 127.0.0.1:[PORT] is refused: no authority that this machine trusts issued it
      reading exchange: GET /auth/time: the certificate of 127.0.0.1:[PORT] is refused: no authority that this machine trusts issued it
    help: no credentials were sent; check the endpoint, the clock of this machine and the authorities that it trusts
    ");
    let doctor = world.run(&["doctor", "rehome.yaml"]).ends(1);
    let failed: Vec<&str> = doctor.out.lines().filter(|line| line.starts_with("FAIL  platform")).collect();
    assert_eq!(failed.len(), 2, "{doctor}");
    assert!(failed.iter().all(|line| line.contains("is refused: no authority that this machine trusts")), "{doctor}");
}

#[test]
fn a_mail_server_whose_certificate_is_wrong_gets_no_password() {
    let world = World::demo();
    let port = untrusted(&world);
    world.set("REHOME_IMAP_EXCHANGE", &format!("imaps://127.0.0.1:{port}"));
    let plan = world.run(&["plan", "rehome.yaml"]);
    let start = plan.out.find("\nBlocked").unwrap_or_else(|| panic!("nothing is blocked: {plan}"));
    assert_snapshot!(plan.out[start..].split("\n\n").next().unwrap_or_default().trim(), @r"
    Blocked
      mailbox-unreachable (3)
        jane.doe@blue.example: the mailbox of jane.doe@blue.example on Exchange could not be reached:
        connect at 127.0.0.1:[PORT]: the certificate of 127.0.0.1 comes from no authority that this
        machine trusts
        john.smith@blue.example: the mailbox of john.smith@blue.example on Exchange could not be
        reached: connect at 127.0.0.1:[PORT]: the certificate of 127.0.0.1 comes from no authority that
        this machine trusts
        max.weber@blue.example: the mailbox of max.weber@blue.example on Exchange could not be reached:
        connect at 127.0.0.1:[PORT]: the certificate of 127.0.0.1 comes from no authority that this
        machine trusts
        > check the host and the network, then plan again
    ");
    let doctor = world.run(&["doctor", "rehome.yaml"]).ends(1);
    assert_snapshot!(doctor.out.lines().find(|l| l.starts_with("FAIL")).unwrap_or_default(), @"FAIL  mailbox       jane.doe@blue.example on exchange: connect at 127.0.0.1:[PORT]: the certificate of 127.0.0.1 comes from no authority that this machine trusts");
    let from = format!("--from=imaps://john.smith%40blue.example@127.0.0.1:{port}");
    let to = format!("--to=imap://max.weber%40blue.example@127.0.0.1:{}", world.ready().imap[EXCHANGE].port);
    let words = [
        "copy",
        &from,
        &to,
        "--from-password=env:PASSWORD_JOHN_SMITH_BLUE_EXAMPLE",
        "--to-password=env:PASSWORD_MAX_WEBER_BLUE_EXAMPLE",
    ];
    let copy = world.run(&words).ends(12);
    let said = copy.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("the certificate of 127.0.0.1 comes from no authority that this machine trusts"), "{copy}");
}

#[test]
fn a_journal_that_another_program_keeps_locked_is_an_answer() {
    let world = World::demo();
    apply(&world).ends(0);
    let shell = rusqlite::Connection::open(world.dir().join(".rehome/journal.db")).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    world.respec("name: Max Weber", "name: Maximilian Weber");
    let ran = world.run(&["apply", "rehome.yaml", "--auto-approve", "--quiet"]).ends(6);
    assert_snapshot!(ran.err, @r"
    error: another program keeps the journal ./.rehome/journal.db locked
    help: close the program that has it open (a sqlite3 shell?) and try again
    ");
    world.run(&["status", "rehome.yaml"]).ends(0);
    shell.execute_batch("ROLLBACK").unwrap();
    drop(shell);
    apply(&world).ends(0);
}

/// A small file system of its own at a folder, for as long as this lives.
struct Disk(PathBuf);

impl Disk {
    /// `None` without the right to mount one.
    fn of(kilobytes: u32, at: PathBuf) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        let size = format!("size={kilobytes}k");
        let made = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&at).output();
        made.is_ok_and(|out| out.status.success()).then_some(Self(at))
    }

    fn grow(&self, megabytes: u32) {
        let size = format!("remount,size={megabytes}m");
        assert!(Command::new("mount").args(["-o", &size]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Nothing that was there is wanted any more.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_the_run_and_a_resume_goes_on_once_there_is_room() {
    let world = World::demo();
    let Some(disk) = Disk::of(500, world.dir().join(".rehome")) else {
        eprintln!("SKIPPED: no right to mount a file system");
        return;
    };
    let ran = world.run(&["apply", "rehome.yaml", "--auto-approve", "--quiet"]);
    assert_snapshot!(ran.ends(1).err, @r"
    error: the run stopped where it was, because nothing more could be recorded
      the disk of the journal ./.rehome/journal.db is full; nothing was written
    help: free some space, then `rehome resume`
    ");
    disk.grow(64);
    world.run(&["resume", "rehome.yaml"]).ends(0);
    world.settle();
    world.leaves_more_to_do();
    assert_eq!(world.mail("emailpro", "john.smith@blue.example").len(), 8);
}

#[test]
fn a_source_password_is_reset_once_somebody_agrees_and_opens_the_copy() {
    const JOHN: &str = "john.smith@blue.example";
    let world = World::demo();
    world.respec(
        "    name: John Smith\n",
        "    name: John Smith\n    mail: { source_password: { reset: { generate: { deliver: { file: secrets/john.old } } } } }\n",
    );
    let refused = world.run(&["apply", "rehome.yaml", "--auto-approve", "--quiet"]).ends(4);
    assert!(refused.out.contains("agree with: --ack reset-source-password"), "{refused}");
    let old = world.ready().accounts.into_iter().find(|a| a.name == "John Smith").unwrap().password;
    world.run(&["apply", "rehome.yaml", "--auto-approve", "--ack", "reset-source-password"]).ends(0);
    assert_eq!(world.mail("emailpro", JOHN).len(), 8, "the copy went in with the new password");

    // The old one opens the old mailbox no more; the delivered one does.
    let parked = "john.smith01%40blue.example";
    let from = format!("--from=imap://{parked}@127.0.0.1:{}", world.ready().imap[EXCHANGE].port);
    let to = format!("--to=imap://max.weber%40blue.example@127.0.0.1:{}", world.ready().imap[EMAIL_PRO].port);
    let copy = |secret: &str| {
        let from_password = format!("--from-password={secret}");
        let words =
            ["copy", &from, &to, &from_password, "--to-password=file:secrets/max.weber@blue.example", "--dry-run"];
        world.run(&words)
    };
    world.set("OLD_WORD", &old);
    assert!(copy("env:OLD_WORD").out.contains("was refused"), "the old login is dead");
    copy("file:secrets/john.old").ends(0);
    world.settle();
    world.leaves_more_to_do();
}

#[test]
fn a_create_that_is_refused_gives_the_source_its_name_back() {
    let world = World::demo();
    let refusal = FaultKind::Status { code: 403, retry_after: None };
    world
        .sandbox()
        .api()
        .faults()
        .add(Fault { times: 0, ..Fault::once("PUT", "/email/pro/*@configureme.me", refusal, When::Before) });
    let names = |world: &World| {
        world.edit_hosted(EXCHANGE, |service| {
            let accounts = service.accounts.values().filter(|a| a.configured);
            let mut names: Vec<Address> = accounts.map(|a| a.address.clone()).collect();
            names.sort();
            names
        })
    };
    let before = names(&world);
    world.run(&["plan", "rehome.yaml", "--out", "plan.json"]).ends(0);
    let ran = world.run(&["apply", "plan.json", "--quiet"]);
    assert_eq!(names(&world), before, "every account of the source has its own name again: {ran}");
    assert_snapshot!(ran.ends(11), @r"
    $ rehome apply plan.json --quiet
    run-000001: 5 actions done, 3 failed

    Failed
      x account.create:emailpro/jane.doe@blue.example
          account.create jane.doe@blue.example on emailpro
          PUT /email/pro/emailpro-ab12345-1/account/0227c3dd%40configureme.me answered 403
          Client::Injected: a fault was asked for (query [QUERY])
          > give the identity the right to `PUT
          /email/pro/emailpro-ab12345-1/account/0227c3dd%40configureme.me`
          not done because of it: 10 actions
      x account.create:emailpro/john.smith@blue.example
          account.create john.smith@blue.example on emailpro
          PUT /email/pro/emailpro-ab12345-1/account/3cb12da1%40configureme.me answered 403
          Client::Injected: a fault was asked for (query [QUERY])
          > give the identity the right to `PUT
          /email/pro/emailpro-ab12345-1/account/3cb12da1%40configureme.me`
          not done because of it: 4 actions
      x account.create:emailpro/max.weber@blue.example
          account.create max.weber@blue.example on emailpro
          PUT /email/pro/emailpro-ab12345-1/account/56d8df58%40configureme.me answered 403
          Client::Injected: a fault was asked for (query [QUERY])
          > give the identity the right to `PUT
          /email/pro/emailpro-ab12345-1/account/56d8df58%40configureme.me`
          not done because of it: 5 actions

    Taken back
      account.rename:exchange/jane.doe@blue.example: account.create jane.doe@blue.example on emailpro
      account.rename:exchange/john.smith@blue.example: account.create john.smith@blue.example on
      emailpro
      account.rename:exchange/max.weber@blue.example: account.create max.weber@blue.example on emailpro
    --- exit 11
    ");
    world.sandbox().api().faults().clear();
    world.run(&["resume", "rehome.yaml"]).ends(0);
}
