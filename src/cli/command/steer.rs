//! `rehome pause`, `rehome limits`, and what `rehome resume` does while a run is live.

use std::path::Path;

use serde_json::Value;

use crate::{
    cli::{
        args::LimitsArgs,
        context::Context,
        control::{Live, Request},
        failure::Failure,
    },
    copy::LiveLimits,
    diag::{Exit, size},
    spec::read_size,
};

async fn live(context: &Context, spec: &Path) -> Result<Live, Failure> {
    let folder = context.workspace(spec);
    Live::find(&folder).await.ok_or_else(|| {
        Failure::new(Exit::Failed, format!("no run of {} is live on this host", folder.display())).help(format!(
            "to keep the next one from beginning anything, make the file {}",
            folder.join("hold").display()
        ))
    })
}

fn run_of(answer: &Value) -> &str {
    answer.get("run").and_then(Value::as_str).unwrap_or("the run")
}

/// Pauses the live run.
pub(super) async fn pause(context: &Context, spec: &Path) -> Result<Exit, Failure> {
    let answer = live(context, spec).await?.ask(&Request::Pause { by: context.actor() }).await?;
    context.answer(&format!(
        "{} is paused: nothing new begins, and no mail is read or sent. `rehome resume` lets it go on.\n",
        run_of(&answer)
    ))?;
    Ok(Exit::Ok)
}

/// Lets the live run go on. `None` when none is live.
pub(super) async fn resume(context: &Context, spec: &Path) -> Result<Option<Exit>, Failure> {
    let Some(mut live) = Live::find(&context.workspace(spec)).await else { return Ok(None) };
    let answer = live.ask(&Request::Resume { by: context.actor() }).await?;
    let run = run_of(&answer);
    context.answer(&match answer.get("was_paused_by").and_then(Value::as_str) {
        Some(by) => format!("{run}, which {by} had paused, goes on.\n"),
        None => format!("{run} is live and was not paused. `rehome status --watch` follows it.\n"),
    })?;
    Ok(Some(Exit::Ok))
}

/// Changes the limits of the live run, and tells them.
pub(super) async fn limits(context: &Context, args: &LimitsArgs) -> Result<Exit, Failure> {
    let bytes_per_second = args.bytes_per_second.as_deref().map(octets).transpose()?;
    let wanted = LiveLimits { bytes_per_second, connections: args.connections };
    let answer = live(context, &args.spec.spec).await?.ask(&Request::Limits(wanted)).await?;
    let now: LiveLimits =
        answer.get("limits").cloned().and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
    let rate = match now.bytes_per_second {
        None => "as the spec says".to_owned(),
        Some(0) => "no limit".to_owned(),
        Some(octets) => format!("{} a second, each way", size(octets)),
    };
    let connections = match now.connections {
        None => "as the spec says".to_owned(),
        Some(0) => "no limit".to_owned(),
        Some(n) => n.to_string(),
    };
    context.answer(&format!(
        "{}\n  each mailbox:              {rate}\n  connections to each host:  {connections}\n",
        run_of(&answer)
    ))?;
    Ok(Exit::Ok)
}

/// `2 MB`, or a plain number of octets.
fn octets(text: &str) -> Result<u64, Failure> {
    text.trim().parse().ok().or_else(|| read_size(text)).ok_or_else(|| {
        Failure::new(Exit::Invalid, format!("--bytes-per-second: `{text}` is no size"))
            .help("write `2 MB`, a number of octets, or 0 for no limit")
    })
}
