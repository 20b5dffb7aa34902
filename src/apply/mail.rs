//! Copies, comparisons and waits. Doing them again is harmless, so an open intent is simply begun again.

use std::collections::BTreeSet;

use super::{
    ending::{Ending, Report, Trouble},
    executor::Executor,
};
use crate::{
    diag::{Finding, Severity},
    journal::{Fact, JournalError, Record},
    model::{Action, CopyCounts, DnsTopic, Domain, Event, MailWork, PlatformId},
    provider::{DomainReady, ErrorClass},
};

impl Executor<'_> {
    pub(super) async fn copy(&self, at: usize, action: &Action, work: &MailWork) -> Result<Report, JournalError> {
        self.write(action, &Record::Intent {}, &[])?;
        if let Some((detail, counts)) = self.brought_little(work)? {
            self.write(action, &Record::Done { detail: Some(detail.clone()) }, &[])?;
            let ending = Ending::Done { adopted: false, detail: Some(detail) };
            // What the pass before it left behind is still so.
            return Ok(Report { at, ending, findings: shortfalls(work, &counts) });
        }
        let report = match self.ctx.mail.copy(work).await {
            Ok(report) => report,
            Err(error) => return self.mail_failed(at, action, Trouble::from(&error)),
        };
        let new = report.total.new.filter(|_| work.pass > 1).map(|n| format!("{n} new, ")).unwrap_or_default();
        let detail = Some(format!("{new}{} copied, {} already there", report.total.copied, report.total.present));
        let findings = shortfalls(work, &report.total);
        let source = (work.source.platform.clone(), work.source.address.clone());
        let fact = Fact::Copied { address: work.account.clone(), source, report };
        self.write(action, &Record::Done { detail: detail.clone() }, &[fact])?;
        Ok(Report { at, ending: Ending::Done { adopted: false, detail }, findings })
    }

    /// Why the plan's own rule leaves a pass out, and the sums of the pass before it.
    fn brought_little(&self, work: &MailWork) -> Result<Option<(String, CopyCounts)>, JournalError> {
        let Some(least) = work.skip_below else { return Ok(None) };
        let counts = self.ctx.journal.mailbox(&work.account)?.and_then(|mailbox| mailbox.counts);
        Ok(counts.and_then(|counts| {
            let new = counts.new.filter(|new| *new < least)?;
            Some((format!("left out: the pass before it brought {new} new, fewer than {least}"), counts))
        }))
    }

    pub(super) async fn verify_mail(
        &self,
        at: usize,
        action: &Action,
        work: &MailWork,
    ) -> Result<Report, JournalError> {
        self.write(action, &Record::Intent {}, &[])?;
        let found = match self.ctx.mail.verify(work).await {
            Ok(found) => found,
            Err(error) => return self.mail_failed(at, action, Trouble::from(&error)),
        };
        let mut findings = found.findings;
        match found.verified {
            Some(verified) if !has_errors(&findings) => {
                let detail = Some(format!("{} messages are equal", verified.messages));
                let fact = Fact::Verified { address: work.account.clone(), verified };
                self.write(action, &Record::Done { detail: detail.clone() }, &[fact])?;
                Ok(Report { at, ending: Ending::Done { adopted: false, detail }, findings })
            }
            _ => {
                if !has_errors(&findings) {
                    // Not proved equal is different, also where nobody says in which message.
                    findings.push(finding(
                        "mail-not-proved",
                        work,
                        "the mailbox was not proved to be complete".to_owned(),
                    ));
                }
                self.differs(at, action, findings)
            }
        }
    }

    pub(super) async fn verify_dns(
        &self,
        at: usize,
        action: &Action,
        (platform, domain, topics): (&PlatformId, &Domain, &BTreeSet<DnsTopic>),
    ) -> Result<Report, JournalError> {
        self.write(action, &Record::Intent {}, &[])?;
        let findings = self.ctx.dns.check(platform, domain, topics).await;
        if has_errors(&findings) {
            return self.differs(at, action, findings);
        }
        self.write(action, &Record::Done { detail: None }, &[])?;
        Ok(Report { at, ending: Ending::Done { adopted: false, detail: None }, findings })
    }

    /// Waits for a domain. Nothing is written before it is ready: a wait leaves nothing open.
    pub(super) async fn domain_ready(
        &self,
        action: &Action,
        platform: &PlatformId,
        domain: &Domain,
    ) -> Result<Ending, JournalError> {
        let options = &self.ctx.options;
        let mut told = None;
        loop {
            let answer = match self.provider(platform) {
                Ok(provider) => provider.domain_ready(domain).await.map_err(|error| Trouble::from(&error)),
                Err(trouble) => Err(trouble),
            };
            let reason = match answer {
                Ok(DomainReady::Ready) => {
                    self.write(action, &Record::Intent {}, &[])?;
                    self.write(action, &Record::Done { detail: None }, &[])?;
                    return Ok(Ending::Done { adopted: false, detail: None });
                }
                Ok(DomainReady::Failed(reason)) => {
                    let message = format!("{domain} will not become usable on {platform}: {reason}");
                    return self.failed(action, Trouble::new(None, message, None));
                }
                Ok(DomainReady::Waiting(reason)) => reason,
                Err(trouble) => return self.failed(action, trouble),
            };
            if told.as_ref() != Some(&reason) {
                let event = Event::ActionWaiting { action: action.id.clone(), reason: reason.clone() };
                self.ctx.events.emit(event);
                told = Some(reason.clone());
            }
            if options.no_wait {
                return Ok(Ending::Waiting(reason));
            }
            self.pause().await;
            if options.cancel.is_cancelled() {
                return Ok(Ending::Left);
            }
        }
    }

    fn mail_failed(&self, at: usize, action: &Action, trouble: Trouble) -> Result<Report, JournalError> {
        if self.ctx.options.cancel.is_cancelled() {
            return Ok(Report::new(at, Ending::Left));
        }
        if trouble.class == Some(ErrorClass::Throttled) {
            // Nothing is wrong, and the intent stays open: the next run goes on.
            let reason = trouble.errors.join(": ");
            self.ctx.events.emit(Event::ActionWaiting { action: action.id.clone(), reason: reason.clone() });
            return Ok(Report::new(at, Ending::Waiting(reason)));
        }
        Ok(Report::new(at, self.failed(action, trouble)?))
    }

    fn differs(&self, at: usize, action: &Action, findings: Vec<Finding>) -> Result<Report, JournalError> {
        let wrong = findings.iter().filter(|f| f.severity == Severity::Error);
        let errors = wrong.map(|f| format!("{}: {}", f.subject, f.message)).take(20).collect();
        self.write(action, &Record::Failed { errors, help: None }, &[])?;
        Ok(Report { at, ending: Ending::Differs, findings })
    }
}

fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|f| f.severity == Severity::Error)
}

/// What a completed pass left behind: messages that failed, and sums that do not balance.
fn shortfalls(work: &MailWork, total: &CopyCounts) -> Vec<Finding> {
    let mut out = Vec::new();
    let failed: u64 = total.failed.values().sum();
    if failed > 0 {
        let reasons: Vec<_> = total.failed.iter().map(|(reason, n)| format!("{reason}: {n}")).collect();
        let message = format!("{failed} messages could not be copied ({})", reasons.join(", "));
        out.push(finding("message-not-copied", work, message));
    }
    if !total.balances() {
        out.push(finding(
            "copy-unbalanced",
            work,
            "the sums of the copy do not add up to what the source holds".to_owned(),
        ));
    }
    out
}

fn finding(code: &str, work: &MailWork, message: String) -> Finding {
    Finding {
        code: code.to_owned(),
        severity: Severity::Error,
        subject: work.account.to_string(),
        message,
        expected: None,
        actual: None,
        fix: None,
    }
}
