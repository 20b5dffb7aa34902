//! The test message through a new MX: sent once, looked for until it is there, and the move taken back when it is not.
//!
//! A message cannot be unsent, so what counts is written down before the first octet that might deliver it: its token
//! and where the folders stood. From then on no run sends another one until it is known that this one went nowhere.
//!
//! | what happens | what it means |
//! |---|---|
//! | it arrives | the move goes on |
//! | a server refuses it for good, or takes it and it does not arrive in time | the MX moves back |
//! | nobody can be connected to, or this machine is turned away | nothing is known: it is tried again, and the MX stays |
//! | the connection broke in the middle, and it does not arrive | a person decides |

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;

use super::{
    context::{Post, Posted},
    ending::{Ending, Trouble},
    executor::Executor,
};
use crate::{
    diag::{self, duration},
    journal::{CutoverWord, Fact, FolderMark, JournalError, ProbeSent, Progress, Record, Said, Standing},
    model::{Action, CutoverStep, CutoverWork, Event, ProbeWork, Work},
};

/// What one step comes to.
enum Step {
    /// It has arrived; the text says how.
    Arrived(String),
    /// The new servers do not deliver; the text says why.
    Lost(String),
    /// It may be lost or never have been sent.
    Unclear(String),
    /// Nothing is known yet; the text says for what is waited.
    NotYet(String),
}

/// The test message of one action, between two looks.
struct Probe<'p> {
    action: &'p Action,
    work: &'p CutoverWork,
    wish: &'p ProbeWork,
    post: &'p dyn Post,
    sent: Option<ProbeSent>,
}

impl Executor<'_> {
    /// Sends the message and waits for it. A failure is *not* written down: the move has to be taken back first.
    pub(super) async fn probe(
        &self,
        action: &Action,
        work: &CutoverWork,
        progress: &Progress,
    ) -> Result<Ending, JournalError> {
        let (Some(wish), Some(post)) = (&work.probe, self.ctx.dns.post()) else {
            return Ok(Ending::Waiting("nobody sends mail in this run".to_owned()));
        };
        // Of an attempt that has ended nothing is on its way any more.
        let begun = matches!(progress.standing, Standing::Open | Standing::Ambiguous);
        let sent = if begun { self.ctx.journal.probe_sent(&self.run, &action.id)? } else { None };
        let mut probe = Probe { action, work, wish, post, sent };
        let mut told = None;
        loop {
            let reason = match self.step(&mut probe).await? {
                Step::Arrived(how) => {
                    self.write(action, &Record::Done { detail: Some(how.clone()) }, &[])?;
                    return Ok(Ending::Done { adopted: false, detail: Some(how) });
                }
                Step::Lost(why) => {
                    let help = format!(
                        "make the new servers take mail for {}, then `rehome cutover approve {}` and `rehome resume`",
                        wish.mailbox.address.unicode(),
                        work.switch.domain
                    );
                    return Ok(Ending::Failed(Trouble::new(None, why, Some(&help))));
                }
                Step::Unclear(why) => {
                    if progress.standing != Standing::Ambiguous {
                        self.write(action, &Record::Ambiguous { reason: why.clone() }, &[])?;
                    }
                    return Ok(Ending::Ambiguous(why));
                }
                Step::NotYet(reason) => reason,
            };
            if told.as_ref() != Some(&reason) {
                self.ctx.events.emit(Event::ActionWaiting { action: action.id.clone(), reason: reason.clone() });
                told = Some(reason.clone());
            }
            if self.ctx.options.no_wait {
                return Ok(Ending::Waiting(reason));
            }
            self.pause().await;
            if self.ctx.options.cancel.is_cancelled() {
                return Ok(Ending::Left);
            }
        }
    }

    async fn step(&self, probe: &mut Probe<'_>) -> Result<Step, JournalError> {
        if probe.sent.is_none()
            && let Some(step) = self.send(probe).await?
        {
            return Ok(step);
        }
        let Some(sent) = &probe.sent else { return Ok(Step::NotYet("no message was sent yet".to_owned())) };
        let address = probe.wish.mailbox.address.unicode();
        let found = match probe.post.arrived(probe.wish, &sent.marks, &sent.token).await {
            Ok(found) => found,
            Err(error) => {
                let why = diag::chain(&error).join(": ");
                return Ok(Step::NotYet(format!("the mailbox of {address} cannot be looked into: {why}")));
            }
        };
        if let Some(folder) = found {
            let words = sent.accepted.as_ref().map(|words| format!(" ({words})")).unwrap_or_default();
            return Ok(Step::Arrived(format!("through {}{words}, found in {folder}", sent.host)));
        }
        if !self.is_over(sent.at, probe.wish.confirm) {
            return Ok(Step::NotYet(format!("the test message has not arrived at {address} yet")));
        }
        let after = duration(u64::from(probe.wish.confirm));
        Ok(match &sent.accepted {
            Some(words) => Step::Lost(format!(
                "{} took the test message ({words}), and it is not in the mailbox of {address} after {after}",
                sent.host
            )),
            None => Step::Unclear(format!(
                "whether {} took the test message is not known, and it is not in the mailbox of {address} after {after}; \
                 as retry, another one is sent",
                sent.host
            )),
        })
    }

    /// Sends the message. Gives a step where it is not on its way.
    async fn send(&self, probe: &mut Probe<'_>) -> Result<Option<Step>, JournalError> {
        let (action, wish) = (probe.action, probe.wish);
        let marks: BTreeMap<String, FolderMark> = match probe.post.marks(wish).await {
            Ok(marks) => marks,
            Err(error) => {
                let why = diag::chain(&error).join(": ");
                let address = wish.mailbox.address.unicode();
                return Ok(Some(Step::NotYet(format!("the mailbox of {address} cannot be opened: {why}"))));
            }
        };
        let token = format!("{:032x}", rand::rng().random::<u128>());
        let at = self.ctx.options.clock.now();
        let mut begun = None;
        let mut begin = |host: &str| {
            let sent =
                ProbeSent { token: token.clone(), at, host: host.to_owned(), marks: marks.clone(), accepted: None };
            self.write(action, &Record::Intent {}, &[Fact::ProbeBegun(sent.clone())])?;
            begun = Some(sent);
            Ok(())
        };
        let posted = probe.post.hand_over(probe.work, &token, &mut begin).await?;
        match (posted, begun) {
            (Posted::Taken { words }, Some(mut sent)) => {
                sent.accepted = Some(words);
                self.ctx.journal.probe_accepted(self.ctx.lease, &self.run, &action.id, &sent)?;
                probe.sent = Some(sent);
                Ok(None)
            }
            (Posted::Unclear(_), Some(sent)) => {
                probe.sent = Some(sent);
                Ok(None)
            }
            (posted, begun) => {
                if begun.is_some() {
                    self.ctx.journal.probe_not_sent(self.ctx.lease, &self.run, &action.id)?;
                }
                self.not_taken(action, wish, posted, at).map(Some)
            }
        }
    }

    /// What it means that no server took the message.
    fn not_taken(
        &self,
        action: &Action,
        wish: &ProbeWork,
        posted: Posted,
        now: Timestamp,
    ) -> Result<Step, JournalError> {
        Ok(match posted {
            Posted::Refused(why) => Step::Lost(why),
            Posted::Later(why) => {
                // A server that never gets round to it is as good as none.
                let since = self.ctx.journal.seen_since(self.ctx.lease, &self.run, &action.id, now)?;
                if self.is_over(since, wish.confirm) {
                    Step::Lost(format!("{why}, for {}", duration(u64::from(wish.confirm))))
                } else {
                    Step::NotYet(why)
                }
            }
            Posted::Unknown(why) | Posted::Unclear(why) | Posted::Taken { words: why } => Step::NotYet(format!(
                "{why}; the MX has moved, and whether mail arrives is not known: `rehome resume` on a machine that may \
                 connect to port 25, or see for yourself and `rehome journal resolve {} --as done`",
                action.id
            )),
        })
    }

    fn is_over(&self, since: Timestamp, seconds: u32) -> bool {
        let until = since.checked_add(SignedDuration::from_secs(i64::from(seconds)));
        until.is_ok_and(|until| self.ctx.options.clock.now() >= until)
    }

    /// Before the MX moves: whether its test can be made at all, and would be passed as far as can be seen. Gives what is
    /// in the way.
    pub(super) async fn probe_in_the_way(&self, work: &CutoverWork) -> Option<String> {
        let wish = work.probe.as_ref()?;
        let Some(post) = self.ctx.dns.post() else { return Some("nobody sends mail in this run".to_owned()) };
        let domain = work.switch.domain.unicode();
        if let Err(error) = post.marks(wish).await {
            let why = diag::chain(&error).join(": ");
            let address = wish.mailbox.address.unicode();
            return Some(format!("the MX of {domain} does not move: the mailbox of {address} cannot be opened: {why}"));
        }
        let why = match post.knock(work).await {
            Posted::Taken { .. } => return None,
            Posted::Refused(why) | Posted::Later(why) | Posted::Unclear(why) => why,
            Posted::Unknown(why) => {
                format!("{why}; go on from a machine that may connect to port 25, or plan again without `probe`")
            }
        };
        Some(format!("the MX of {domain} does not move: {why}"))
    }

    /// Takes the move of an MX back because its test failed, and keeps it from being made again before somebody has
    /// said so. One transaction holds the intent, the word and the end of the message, so that a run which dies here is
    /// ended by the next one in the same way.
    pub(super) async fn take_move_back(
        &self,
        action: &Action,
        trouble: &mut Trouble,
    ) -> Result<Option<super::ending::Report>, JournalError> {
        let Work::Cutover(work) = &action.work else { return Ok(None) };
        if work.step != CutoverStep::Probe {
            return Ok(None);
        }
        let switched = |a: &Action| matches!(&a.work, Work::Zone(change) if **change == work.switch);
        let actions = &self.ctx.plan.body.actions;
        let Some((at, switch)) = actions.iter().enumerate().find(|(_, a)| switched(a)) else { return Ok(None) };
        let reason = trouble.errors.first().cloned().unwrap_or_default();
        let said = Said { word: CutoverWord::Hold, by: "the failed test".to_owned(), at: self.ctx.options.clock.now() };
        let facts =
            [Fact::Said { domain: work.switch.domain.clone(), said }, Fact::ProbeEnded { action: action.id.clone() }];
        let ending = self.undo_zone(switch, &work.switch.reversed(), Standing::Done, &reason, &facts).await?;
        let taken = matches!(ending, Ending::Undone(_));
        let domain = work.switch.domain.unicode();
        let what = if taken {
            format!("the MX of {domain} was moved back, because the test message failed")
        } else {
            format!("the test message failed, and the MX of {domain} could not be moved back")
        };
        trouble.errors.insert(0, what);
        let record = Record::Failed { errors: trouble.errors.clone(), help: trouble.help.clone() };
        self.write(action, &record, &[])?;
        Ok(Some(super::ending::Report::new(at, ending)))
    }
}
