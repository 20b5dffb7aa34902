//! Events as plain lines, for logs of continuous integration.

use jiff::Timestamp;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;

use crate::{
    diag::{count, size},
    model::{EVENT_FORMAT, Event},
};

use super::{pace::Forecast, phrase::there_already, style::clean};

/// One line of an event file.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Event")]
struct Line<'e> {
    /// The format of the line. New events and new fields do not raise it.
    v: u32,
    /// When it was written, RFC 3339 in UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    #[serde(flatten)]
    event: &'e Event,
    /// Messages per second, smoothed.
    #[serde(skip_serializing_if = "Option::is_none")]
    per_second: Option<f64>,
    /// Seconds until it is done, where they can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_seconds: Option<u64>,
}

/// The JSON Schema (draft 2020-12) of a line of an event file.
#[must_use]
pub fn event_schema() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Line<'_>>().to_value()
}

/// The schema as it is written to a file.
#[must_use]
pub fn event_schema_text() -> String {
    format!("{:#}\n", event_schema())
}

/// One line of `--events FILE`: a JSON object with the format, the time, the event, and for progress its pace.
#[must_use]
pub fn event_json(event: &Event, at: Timestamp, forecast: Option<&Forecast>) -> String {
    let per_second = forecast.and_then(|f| f.per_second).map(|rate| (rate * 10.0).round() / 10.0);
    let eta_seconds = forecast.and_then(|f| f.remaining).map(|left| left.as_secs());
    // Nothing in an event can fail to become JSON: its maps have words for keys.
    serde_json::to_string(&Line { v: EVENT_FORMAT, at, event, per_second, eta_seconds }).unwrap_or_default()
}

/// The line for an event; `None` for those that a log does not need. Who calls it limits how often progress is said.
#[must_use]
pub fn event_line(event: &Event) -> Option<String> {
    let line = match event {
        Event::RunStarted { run, plan, actions, resumed, done } => {
            let how = if *resumed { "goes on" } else { "begins" };
            let before = if *done == 0 { String::new() } else { format!(", {} done before", count(*done as u64)) };
            format!("{run} {how}: plan {}, {} actions{before}", plan.short(), count(*actions as u64))
        }
        Event::ActionStarted { .. } => return None,
        Event::ActionWaiting { action, reason } => format!("wait  {action}: {reason}"),
        Event::GateShut { gate, reason, .. } => format!("wait  {gate}: {reason}"),
        Event::GateOpened { gate, by } => {
            let by = by.as_ref().map(|who| format!(" by {who}")).unwrap_or_default();
            format!("open  {gate}{by}")
        }
        Event::ActionDone { action, detail, adopted } => {
            let adopted = if *adopted { " (was done before)" } else { "" };
            let detail = detail.as_ref().map(|d| format!(": {d}")).unwrap_or_default();
            format!("done  {action}{adopted}{detail}")
        }
        Event::ActionUndone { action, reason } => format!("undo  {action}: {reason}"),
        Event::ActionFailed { action, errors, help, blocked } => {
            let mut line = format!("FAIL  {action}: {}", errors.join(": "));
            if let Some(help) = help {
                line.push_str(&format!(" [{help}]"));
            }
            if !blocked.is_empty() {
                line.push_str(&format!(" ({} actions wait for it)", count(blocked.len() as u64)));
            }
            line
        }
        Event::CopyProgress { account, folder, done, total, octets } => {
            format!("copy  {account} {folder}: {} of {} messages, {}", count(*done), count(*total), size(*octets))
        }
        Event::FolderDone { .. } => return None,
        Event::MessageFailed { account, message } => {
            format!("FAIL  {account} {} UID {}: {} ({})", message.folder, message.uid, message.reason, message.class)
        }
        Event::CopyDone { account, counts } => {
            let failed: u64 = counts.failed.values().sum();
            let excluded: u64 = counts.excluded.values().sum();
            let balance = if counts.balances() { "" } else { "; THE SUMS DO NOT BALANCE" };
            format!(
                "copy  {account}: {} at the source, {} copied, {}, {} left out, {} failed, {}{balance}",
                count(counts.source),
                count(counts.copied),
                there_already(counts),
                count(excluded),
                count(failed),
                size(counts.octets)
            )
        }
        Event::VerifyProgress { account, done, total } => {
            format!("check {account}: {} of {} messages", count(*done), count(*total))
        }
        Event::Throttled { host, reason, millis } => {
            format!("slow  {host}: {reason}; pausing {}.{} s", millis / 1000, millis % 1000 / 100)
        }
        Event::Warning { message } => format!("warn  {message}"),
        Event::RunFinished { run, exit, done, failed, pending } => {
            let (done, failed, pending) = (count(*done as u64), count(*failed as u64), count(*pending as u64));
            format!("{run} ended with exit {exit}: {done} done, {failed} failed, {pending} not started")
        }
    };
    Some(clean(&line).replace('\n', " "))
}
