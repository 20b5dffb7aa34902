//! What a run says while it goes on: bars on a terminal, plain lines elsewhere, every event to a file when asked.
//!
//! Everything here goes to stderr. stdout belongs to the answer.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{IsTerminal as _, Write as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use tokio::sync::broadcast;

use super::{
    args::{Color, Global},
    failure::Failure,
};
use crate::{
    diag::Exit,
    model::{Event, EventSink},
    report,
};

/// How long a mailbox may be silent in plain output.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How many events are kept for those who watch.
const WATCHED: usize = 1024;

/// Takes the events of a run.
pub(super) struct Screen {
    mode: Mode,
    file: Option<Mutex<File>>,
    state: Mutex<State>,
    /// For whoever watches over the control socket. Who is slower than this many events misses some and is told so.
    live: broadcast::Sender<Arc<str>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Quiet,
    Lines,
    Bars,
}

#[derive(Default)]
struct State {
    summary: report::Summary,
    bars: MultiProgress,
    accounts: BTreeMap<String, ProgressBar>,
    last_line: BTreeMap<String, Instant>,
    begun: Option<Instant>,
    /// By account and what is done with it.
    paces: BTreeMap<(String, &'static str), report::Pace>,
}

impl Screen {
    /// Opens the screen, and the events' file when there is to be one.
    pub(super) fn open(global: &Global) -> Result<Self, Failure> {
        let file = match &global.events {
            None => None,
            Some(path) => Some(Mutex::new(append(path)?)),
        };
        let mode = if global.quiet {
            Mode::Quiet
        } else if std::io::stderr().is_terminal() {
            Mode::Bars
        } else {
            Mode::Lines
        };
        Ok(Self { mode, file, state: Mutex::new(State::default()), live: broadcast::Sender::new(WATCHED) })
    }

    /// Every event from now on, as the lines of `--events`.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<str>> {
        self.live.subscribe()
    }

    /// The sum of all events so far.
    pub(super) fn summary(&self) -> report::Summary {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).summary.clone()
    }

    fn record(&self, event: &Event, forecast: Option<&report::Forecast>) {
        if self.file.is_none() && self.live.receiver_count() == 0 {
            return;
        }
        let mut line = report::event_json(event, Timestamp::now(), forecast);
        // Nobody may be there any more, which is no loss.
        let _ = self.live.send(line.as_str().into());
        let Some(file) = &self.file else { return };
        line.push('\n');
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not stop a run whose journal is elsewhere and complete.
        let _ = file.write_all(line.as_bytes());
    }

    /// How fast a mailbox goes, for events that tell how far it is.
    fn forecast(&self, event: &Event) -> Option<report::Forecast> {
        let (account, verb, done, total) = match event {
            Event::CopyProgress { account, done, total, .. } => (account, "copy", *done, *total),
            Event::VerifyProgress { account, done, total } => (account, "verify", *done, *total),
            _ => return None,
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at = state.begun.get_or_insert_with(Instant::now).elapsed();
        Some(state.paces.entry((account.unicode().into_owned(), verb)).or_default().take(at, done, total))
    }

    fn say(&self, line: &str) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.bars.suspend(|| anstream::eprintln!("{line}"));
    }

    fn progress(&self, account: &str, verb: &str, (done, total): (u64, u64), forecast: &report::Forecast) {
        let pace = report::forecast_text(forecast);
        let said = if pace.is_empty() { verb.to_owned() } else { format!("{verb}, {pace}") };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match self.mode {
            Mode::Quiet => {}
            Mode::Bars => {
                let bar = match state.accounts.get(account) {
                    Some(bar) => bar.clone(),
                    None => {
                        let bar = state.bars.add(ProgressBar::new(total));
                        bar.set_style(style());
                        bar.set_prefix(account.to_owned());
                        state.accounts.insert(account.to_owned(), bar.clone());
                        bar
                    }
                };
                bar.set_length(total);
                bar.set_position(done);
                bar.set_message(said);
            }
            Mode::Lines => {
                let now = Instant::now();
                let due = state.last_line.get(account).is_none_or(|last| now.duration_since(*last) >= HEARTBEAT);
                if due {
                    let first = state.last_line.insert(account.to_owned(), now).is_none();
                    if !first {
                        let pace = if pace.is_empty() { pace } else { format!(", {pace}") };
                        anstream::eprintln!("  {account}: {verb} {done} of {total}{pace}");
                    }
                }
            }
        }
    }

    fn end_of(&self, account: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = state.accounts.remove(account) {
            bar.finish_and_clear();
        }
        state.last_line.remove(account);
        state.paces.remove(&(account.to_owned(), "copy"));
    }
}

impl EventSink for Screen {
    fn emit(&self, event: Event) {
        let forecast = self.forecast(&event);
        self.record(&event, forecast.as_ref());
        let forecast = forecast.unwrap_or_default();
        self.state.lock().unwrap_or_else(PoisonError::into_inner).summary.take(&event);
        match &event {
            Event::CopyProgress { account, done, total, .. } => {
                self.progress(&account.unicode(), "copied", (*done, *total), &forecast);
            }
            Event::VerifyProgress { account, done, total } => {
                self.progress(&account.unicode(), "compared", (*done, *total), &forecast);
            }
            other => {
                if let Event::CopyDone { account, .. } = other {
                    self.end_of(&account.unicode());
                }
                if self.mode != Mode::Quiet
                    && let Some(line) = report::event_line(other)
                {
                    self.say(&line);
                }
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for bar in state.accounts.values() {
            bar.finish_and_clear();
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("  {prefix:<32} {bar:24} {pos:>7}/{len:<7} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn append(path: &Path) -> Result<File, Failure> {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|e| Failure::caused(Exit::Failed, format!("cannot write events to {}", path.display()), &e))
}

/// Whether answers on stdout are coloured.
pub(super) fn colored(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
        }
    }
}

/// How many columns answers may take.
pub(super) fn columns() -> usize {
    console::Term::stdout().size_checked().map_or(100, |(_, width)| usize::from(width).clamp(60, 160))
}
