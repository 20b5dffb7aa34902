//! What may keep a run from beginning anything: a pause, a hold file, hours of the day.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use jiff::{Timestamp, Zoned, tz::TimeZone};

use super::{args::ApplyArgs, control::Pause, failure::Failure};
use crate::{
    apply::{Gatekeeper, Held},
    diag::Exit,
    model::{Gates, Window},
};

/// The name of the hold file in a workspace.
const HOLD: &str = "hold";

/// Keeps the gates of one run.
#[derive(Debug)]
pub(super) struct Doorman {
    holds: Vec<PathBuf>,
    /// Of each of these one window must be open.
    hours: Vec<Vec<(Window, TimeZone)>>,
    pause: Arc<Pause>,
}

impl Doorman {
    /// The gates of a plan and those that were typed. A window that was typed only narrows those of the plan.
    pub(super) fn new(gates: &Gates, args: &ApplyArgs, workspace: &Path, pause: &Arc<Pause>) -> Result<Self, Failure> {
        let typed = args.window.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
        let hours = [gates.windows.as_slice(), typed.as_slice()]
            .into_iter()
            .filter(|windows| !windows.is_empty())
            .map(|windows| windows.iter().map(|w| Ok((w.clone(), zone(w)?))).collect())
            .collect::<Result<_, Failure>>()?;
        let holds = [workspace.join(HOLD)].into_iter().chain(args.hold_file.clone()).collect();
        Ok(Self { holds, hours, pause: Arc::clone(pause) })
    }

    fn shut_until(&self, now: Timestamp) -> Option<String> {
        let local = |zone: &TimeZone| now.to_zoned(zone.clone());
        let shut = self.hours.iter().find(|any| !any.iter().any(|(w, zone)| w.is_open(local(zone).datetime())))?;
        let names: Vec<String> = shut.iter().map(|(window, _)| window.to_string()).collect();
        let opens = shut.iter().filter_map(|(window, zone)| opens(window, local(zone)));
        let opens = opens.min().map(|at: Zoned| format!("; it opens {}", at.strftime("%a %Y-%m-%d %H:%M %Z")));
        Some(format!("nothing begins outside {}{}", names.join(" and "), opens.unwrap_or_default()))
    }
}

/// When a window that is shut opens next. A time that the clocks leave out in spring does not come: a window that lies in
/// it stays shut that day.
fn opens(window: &Window, now: Zoned) -> Option<Zoned> {
    let mut after = now.datetime();
    // The clocks change in one direction twice a year at the most.
    for _ in 0..3 {
        let next = window.next(after)?;
        let at = next.to_zoned(now.time_zone().clone()).ok()?;
        if window.is_open(at.datetime()) {
            return Some(at);
        }
        after = at.datetime();
    }
    None
}

fn parse(text: &str) -> Result<Window, Failure> {
    text.parse().map_err(|e| {
        Failure::caused(Exit::Invalid, "--window", &e)
            .help("write days (if not all), hours and time zone: --window \"Mon-Fri 22:00-06:00 Europe/Paris\"")
    })
}

fn zone(window: &Window) -> Result<TimeZone, Failure> {
    TimeZone::get(window.zone()).map_err(|e| {
        Failure::caused(Exit::Invalid, format!("the window {window} cannot be kept"), &e)
            .help("this machine does not know that time zone: correct its name, install `tzdata`, or use UTC")
    })
}

#[async_trait]
impl Gatekeeper for Doorman {
    fn held(&self) -> Option<Held> {
        if let Some(by) = self.pause.by() {
            return Some(Held { gate: "pause", reason: format!("{by} has paused it; `rehome resume` lets it go on") });
        }
        // A file that cannot be seen because of its folder's mode counts as there: somebody put a folder in the way.
        if let Some(file) = self.holds.iter().find(|file| file.try_exists().unwrap_or(true)) {
            return Some(Held { gate: "hold", reason: format!("remove {} to go on", file.display()) });
        }
        self.shut_until(Timestamp::now()).map(|reason| Held { gate: "window", reason })
    }

    async fn changed(&self, patience: Duration) {
        tokio::select! {
            () = self.pause.changed() => {}
            () = tokio::time::sleep(patience) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doorman(plan: &[&str], typed: &[&str]) -> Doorman {
        let gates = Gates { windows: plan.iter().map(|w| w.parse().unwrap()).collect(), ..Gates::default() };
        let args = ApplyArgs { window: typed.iter().map(|w| (*w).to_owned()).collect(), ..ApplyArgs::default() };
        Doorman::new(&gates, &args, Path::new("/nonexistent"), &Arc::default()).unwrap()
    }

    #[test]
    fn a_window_is_kept_in_the_time_of_its_place_also_when_the_clocks_change() {
        let nights = doorman(&["22:00-06:00 Europe/Paris"], &[]);
        let shut = |at: &str| nights.shut_until(at.parse().unwrap());
        assert_eq!(shut("2026-07-01T20:00:00Z"), None, "22:00 in summer");
        assert!(shut("2026-12-01T20:59:00Z").is_some(), "21:59 in winter");
        assert_eq!(
            shut("2026-12-01T20:59:00Z").unwrap(),
            "nothing begins outside 22:00-06:00 Europe/Paris; it opens Tue 2026-12-01 22:00 CET"
        );
    }

    #[test]
    fn a_window_in_an_hour_that_the_clocks_leave_out_opens_the_day_after() {
        let night = doorman(&["02:15-02:45 America/New_York"], &[]);
        let told = night.shut_until("2027-03-14T06:30:00Z".parse().unwrap()).unwrap();
        assert!(told.ends_with("it opens Mon 2027-03-15 02:15 EDT"), "{told}");
        let shut = |at: &str| night.shut_until(at.parse().unwrap()).is_some();
        assert!(shut("2027-03-14T07:15:00Z") && shut("2027-03-14T07:30:00Z"), "03:15 and 03:30 are not in it");
        // In autumn the hour comes twice, and the window with it.
        assert!(!shut("2026-11-01T07:20:00Z") && shut("2026-11-01T08:20:00Z"));
        let twice = doorman(&["01:15-01:45 America/New_York"], &[]);
        let open = |at: &str| twice.shut_until(at.parse().unwrap()).is_none();
        assert!(open("2026-11-01T05:20:00Z") && open("2026-11-01T06:20:00Z"));
        // A night that spans the change is open all through.
        let long = doorman(&["22:00-06:00 Europe/Paris"], &[]);
        for at in ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2027-03-28T00:30:00Z", "2027-03-28T01:30:00Z"] {
            assert!(long.shut_until(at.parse().unwrap()).is_none(), "{at}");
        }
    }

    #[test]
    fn of_several_windows_one_is_enough_and_a_typed_one_narrows() {
        let at = |doorman: &Doorman, at: &str| doorman.shut_until(at.parse().unwrap()).is_none();
        let either = doorman(&["01:00-02:00 UTC", "05:00-06:00 UTC"], &[]);
        assert!(at(&either, "2026-01-01T05:30:00Z") && at(&either, "2026-01-01T01:30:00Z"));
        let both = doorman(&["01:00-06:00 UTC"], &["05:00-08:00 UTC"]);
        assert!(at(&both, "2026-01-01T05:30:00Z"));
        assert!(!at(&both, "2026-01-01T02:00:00Z") && !at(&both, "2026-01-01T07:00:00Z"));
    }
}
