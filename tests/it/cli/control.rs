//! A live run that is paused, watched and steered over its socket, and what a dead or hostile one does.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::PathBuf,
};

use serde_json::{Value, json};

use crate::world::{Running, World};

fn gated() -> World {
    let world = World::demo();
    world.respec("version: 1", "version: 1\ngates: { approval: [copy] }");
    world
}

/// An apply that waits for approval of its copies.
fn waiting(world: &World) -> Running<'_> {
    let mut run = world.start(&["apply", "rehome.yaml", "--auto-approve"]);
    run.until_it_says("wait  copy: it waits for somebody's word");
    run
}

fn socket(world: &World) -> PathBuf {
    world.dir().join(".rehome/control.sock")
}

/// Asks over a connection of its own.
fn ask(world: &World, request: &str) -> Value {
    let mut stream = UnixStream::connect(socket(world)).unwrap();
    stream.write_all(format!("{request}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

#[test]
fn a_paused_run_begins_nothing_until_resume() {
    let world = gated();
    let mut run = waiting(&world);
    let paused = world.run(&["pause"]).ends(0);
    assert!(paused.out.starts_with("run-000001 is paused: nothing new begins"), "{paused}");
    world.run(&["approve", "copy"]).ends(0);
    run.until_it_says("wait  pause: tester has paused it; `rehome resume` lets it go on");
    assert_eq!(ask(&world, r#"{"do":"status"}"#)["paused_by"], "tester");
    assert_eq!(world.run(&["apply", "rehome.yaml", "--auto-approve"]).code, 6, "one run at a time");
    let resumed = world.run(&["resume"]).ends(0);
    assert_eq!(resumed.out, "run-000001, which tester had paused, goes on.\n");
    run.end().ends(0);
    assert!(!socket(&world).exists(), "the socket goes with its run");
}

#[test]
fn a_run_is_followed_to_its_end() {
    let world = gated();
    let run = waiting(&world);
    let mut watch = world.start(&["status", "--watch"]);
    watch.until_it_says("run-000001 is live: ");
    watch.until_it_says("wait  copy: it waits for somebody's word");
    let mut json = world.start(&["status", "--watch", "--format", "json"]);
    json.until("the first line", |_| true);
    world.run(&["approve", "copy"]).ends(0);
    run.end().ends(0);
    let watched = watch.end().ends(0);
    assert!(watched.err.contains("open  copy by tester\n"), "{watched}");
    assert!(watched.err.contains("run-000001 ended with exit 0"), "{watched}");
    assert!(watched.out.contains("run-000001 of plan"), "{watched}");
    for line in json.end().ends(0).out.lines() {
        assert_eq!(serde_json::from_str::<Value>(line).unwrap()["v"], 1, "{line}");
    }
    // Nothing is live any more, and the last run has ended: there is nothing to follow.
    world.run(&["status", "--watch"]).ends(0);
}

#[test]
fn limits_of_a_live_run_are_changed_and_shown() {
    let world = gated();
    let run = waiting(&world);
    let shown = world.run(&["limits", "rehome.yaml"]).ends(0);
    assert!(shown.out.contains("each mailbox:              as the spec says"), "{shown}");
    let set = world.run(&["limits", "--bytes-per-second", "2 MB", "--connections", "3"]).ends(0);
    assert!(set.out.contains("each mailbox:              2.0 MiB a second, each way"), "{set}");
    assert!(set.out.contains("connections to each host:  3"), "{set}");
    let kept = world.run(&["limits", "--connections", "0"]).ends(0);
    assert!(kept.out.contains("2.0 MiB a second") && kept.out.contains("host:  no limit"), "{kept}");
    world.run(&["limits", "--bytes-per-second", "fast"]).ends(10);
    world.run(&["approve", "copy"]).ends(0);
    run.end().ends(0);
    let none = world.run(&["limits"]).ends(1);
    assert!(none.err.contains("no run of ./.rehome is live on this host"), "{none}");
}

#[test]
fn a_run_that_was_killed_leaves_a_socket_that_harms_nobody() {
    let world = gated();
    let run = waiting(&world);
    assert_eq!(socket(&world).metadata().unwrap().permissions().mode() & 0o777, 0o600);
    run.signal("KILL");
    run.end();
    assert!(socket(&world).exists());
    let paused = world.run(&["pause"]).ends(1);
    assert!(paused.err.contains("make the file ./.rehome/hold"), "{paused}");
    world.run(&["approve", "copy"]).ends(0);
    world.run(&["resume"]).ends(0);
    assert!(!socket(&world).exists());
}

#[test]
fn nothing_that_is_sent_to_the_socket_harms_the_run() {
    let world = gated();
    let run = waiting(&world);
    let huge = format!("{}\n", json!({"do": "pause", "by": "x".repeat(60_000)}));
    for bytes in [&b"\n"[..], b"\xff\xfe\x00\n", b"{\"do\":\"destroy\"}\n", b"[[[[[[[[[[", huge.as_bytes()] {
        let mut stream = UnixStream::connect(socket(&world)).unwrap();
        stream.write_all(bytes).unwrap();
    }
    // Far more than a line may have: the other side hangs up, and what is in its way is dropped.
    let mut flood = UnixStream::connect(socket(&world)).unwrap();
    while flood.write_all(&[b'a'; 65_536]).is_ok() {}
    // More that only listen, or say nothing, than are served at once.
    let silent: Vec<UnixStream> = (0..24).map(|_| UnixStream::connect(socket(&world)).unwrap()).collect();
    drop(silent);
    let status = ask(&world, r#"{"do":"status"}"#);
    assert_eq!(status["run"], "run-000001");
    let by = status["paused_by"].as_str().map_or(0, str::len);
    assert!(by <= 64, "a name is cut to what can be shown");
    assert_eq!(ask(&world, r#"{"do":"resume","by":"a\nb"}"#)["ok"], true);
    assert_eq!(ask(&world, "{}")["ok"], false);
    world.run(&["approve", "copy"]).ends(0);
    run.end().ends(0);
}
