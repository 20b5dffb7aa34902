//! Waiting for a platform to do what it was asked.

use std::{future::Future, time::Duration};

use tokio::time::Instant;

use super::failure::Failure;
use crate::provider::{ErrorClass, Patience};

/// What one look found.
pub(super) enum Look<T> {
    /// It is as it should be.
    There(T),
    /// Not yet; the text says what was seen.
    NotYet(String),
}

/// Looks again and again, with growing pauses, until `look` finds what it wants.
///
/// A look that fails because the platform cannot be reached counts as "not yet": a short outage must not leave a change
/// in doubt that the next look would settle.
pub(super) async fn until<T, F, Fut>(patience: Patience, what: &str, mut look: F) -> Result<T, Failure>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Look<T>, Failure>>,
{
    let start = Instant::now();
    let mut pause = patience.first_pause;
    loop {
        let seen = match look().await {
            Ok(Look::There(found)) => return Ok(found),
            Ok(Look::NotYet(seen)) => seen,
            Err(e) if matches!(e.class(), ErrorClass::Unreachable | ErrorClass::Throttled) => e.to_string(),
            Err(e) => return Err(e),
        };
        if start.elapsed() + pause > patience.longest {
            return Err(Failure::Stopped {
                what: format!("{what} took longer than {}: {seen}", spell(patience.longest)),
                class: ErrorClass::Timeout,
                help: Some("run it again later: what is done by then is not done twice".to_owned()),
            });
        }
        tokio::time::sleep(pause).await;
        pause = longer(pause, patience.first_pause);
    }
}

/// How long a claim of an address is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// A tenth of the longest wait: the address belongs to nobody meanwhile, and giving up gives it back to who had it.
    Short,
    /// Two fifths of it, six minutes: giving up would leave the address to nobody for longer. OVHcloud asks to wait five
    /// minutes after the deletion of an account.
    Long,
}

impl Claim {
    fn of(self, patience: Patience) -> Duration {
        match self {
            Self::Short => patience.longest / 10,
            Self::Long => patience.longest * 2 / 5,
        }
    }
}

/// Sends a write that claims an address, and sends it again for a while when the answer is that something has the
/// address: when it was given up elsewhere a moment ago, not every part of a platform knows yet. Such an answer says
/// that nothing was done.
pub(super) async fn claiming<T, F, Fut>(patience: Patience, how: Claim, mut claim: F) -> Result<T, Failure>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, Failure>>,
{
    let start = Instant::now();
    let mut pause = patience.first_pause;
    loop {
        match claim().await {
            Err(e) if e.class() == ErrorClass::Conflict && start.elapsed() + pause < how.of(patience) => {
                tracing::debug!(error = %e, ?pause, "will be claimed again");
            }
            other => return other,
        }
        tokio::time::sleep(pause).await;
        pause = longer(pause, patience.first_pause);
    }
}

/// Half as long again, up to ten times the first pause.
fn longer(pause: Duration, first: Duration) -> Duration {
    (pause + pause / 2).min(first * 10)
}

fn spell(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds >= 120 { format!("{} minutes", seconds / 60) } else { format!("{seconds} seconds") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { longest: Duration::from_millis(200), first_pause: Duration::from_millis(1) };

    #[tokio::test]
    async fn an_outage_while_waiting_is_survived_and_an_error_is_not() {
        let mut looks = 0;
        let found = until(PATIENCE, "it", || {
            looks += 1;
            let n = looks;
            async move {
                match n {
                    1 => Ok(Look::NotYet("busy".to_owned())),
                    2 => Err(Failure::stopped(ErrorClass::Unreachable, "down")),
                    _ => Ok(Look::There(n)),
                }
            }
        });
        assert_eq!(found.await.unwrap(), 3);
        let refused = until::<(), _, _>(PATIENCE, "it", || async { Err(Failure::stopped(ErrorClass::Refused, "no")) });
        assert_eq!(refused.await.unwrap_err().class(), ErrorClass::Refused);
    }

    #[tokio::test]
    async fn giving_up_says_what_was_seen_last() {
        let never = until::<(), _, _>(PATIENCE, "it", || async { Ok(Look::NotYet("busy".to_owned())) });
        let error = never.await.unwrap_err();
        assert_eq!(error.to_string(), "it took longer than 0 seconds: busy");
        assert_eq!(error.class(), ErrorClass::Timeout);
    }
}
