//! One list of what the servers of a domain say and what the audit finds behind it.

use crate::diag::{Finding, Severity};

/// Joins the findings of [`check`](crate::dns::check) with those of an audit. What is fine at the domain itself is no
/// consolation where what it rests on is wrong, a policy that was found above is not missing, and whoever passes needs no
/// term of its own.
#[must_use]
pub fn join(own: Vec<Finding>, audited: Vec<Finding>) -> Vec<Finding> {
    let passes = platform_passes(own.iter().chain(&audited));
    // Where it was found out, nobody has to look up what another record says.
    let denied = audited.iter().any(|f| f.code == "spf-platform-denied");
    let needless = |f: &Finding| match f.code.as_str() {
        "spf-include-missing" => passes,
        "spf-redirect" => passes || denied,
        _ => false,
    };
    let mut out: Vec<Finding> =
        own.into_iter().filter(|f| !needless(f) && !audited.iter().any(|a| replaces(a, f))).collect();
    let told = |f: &Finding| out.iter().any(|own| says_already(own, f));
    let more: Vec<Finding> = audited.into_iter().filter(|f| !told(f)).collect();
    out.extend(more);
    out
}

/// Whether the platform's senders were tried out and all of them pass, by whatever term, and not because everybody does.
pub(in crate::dns) fn platform_passes<'f>(findings: impl Iterator<Item = &'f Finding>) -> bool {
    let mut passes = false;
    for finding in findings {
        match finding.code.as_str() {
            "spf-platform-passes" => passes = true,
            "spf-platform-denied" | "spf-all-pass" => return false,
            _ => {}
        }
    }
    passes
}

/// Whether the check has said it with other words: that a term of the platform is missing says why its senders do not
/// pass, and a key that the domain's own servers know is judged there.
fn says_already(own: &Finding, audited: &Finding) -> bool {
    match audited.code.as_str() {
        "spf-platform-denied" => own.code == "spf-include-missing" && own.subject == audited.subject,
        code if code.starts_with("dkim-") => own.code == code && own.subject == audited.subject,
        _ => false,
    }
}

fn replaces(audited: &Finding, own: &Finding) -> bool {
    let family = |f: &Finding| f.code.split('-').next().map(str::to_owned);
    let name = |f: &Finding| f.subject.split(' ').next().map(str::to_owned);
    if audited.code == "dmarc-inherited" {
        return matches!(own.code.as_str(), "dmarc-missing" | "dmarc-inherited");
    }
    // Whether there is a policy above could not be found out.
    if audited.code == "dns-unknown" && audited.subject.starts_with("_dmarc.") && own.code == "dmarc-missing" {
        return true;
    }
    // Each key is judged by itself.
    let same = family(audited) == family(own) && (family(own).as_deref() != Some("dkim") || name(audited) == name(own));
    // One key of several that is not there yet is milder than none, and only the audit knows.
    if audited.code == "dkim-target-missing" && own.code == audited.code && own.subject == audited.subject {
        return true;
    }
    // The audit says of a key that is fine what the check has said already.
    let again = audited.code == "dkim-ok";
    same && own.severity == Severity::Ok && (audited.severity >= Severity::Warning || again)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(code: &str, severity: Severity, subject: &str) -> Finding {
        Finding {
            code: code.to_owned(),
            severity,
            subject: subject.to_owned(),
            message: String::new(),
            expected: None,
            actual: None,
            fix: None,
        }
    }

    #[test]
    fn what_rests_on_something_wrong_is_not_called_right() {
        let said = |own: &[(&str, Severity, &str)], audited: &[(&str, Severity, &str)]| {
            let list = |rows: &[(&str, Severity, &str)]| rows.iter().map(|(c, s, n)| finding(c, *s, n)).collect();
            let codes: Vec<String> = join(list(own), list(audited)).into_iter().map(|f| f.code).collect();
            codes.join(" ")
        };
        let (ok, bad) = (Severity::Ok, Severity::Error);
        let mx = ("mx-target-unresolved", bad, "mx.b.example (mail server)");
        assert_eq!(said(&[("mx-ok", ok, "a MX"), ("spf-ok", ok, "a SPF")], &[mx]), "spf-ok mx-target-unresolved");
        let keys = [("dkim-ok", ok, "s1._domainkey.a"), ("dkim-ok", ok, "s2._domainkey.a")];
        assert_eq!(said(&keys, &[("dkim-target-missing", bad, "s1._domainkey.a")]), "dkim-ok dkim-target-missing");
        assert_eq!(
            said(&[("dkim-syntax", bad, "s1._domainkey.a")], &[("dkim-syntax", bad, "s1._domainkey.a")]),
            "dkim-syntax"
        );
        let missing = ("spf-include-missing", bad, "a SPF");
        assert_eq!(said(&[missing], &[("spf-platform-passes", ok, "a SPF")]), "spf-platform-passes");
        assert_eq!(said(&[missing], &[("spf-platform-denied", bad, "a SPF")]), "spf-include-missing");
        let everybody = [missing, ("spf-all-pass", bad, "a SPF")];
        assert_eq!(
            said(&everybody, &[("spf-platform-passes", ok, "a SPF")]),
            "spf-include-missing spf-all-pass spf-platform-passes",
            "whoever passes with everybody else is not let in"
        );
        let above = ("dmarc-inherited", Severity::Info, "_dmarc.a");
        assert_eq!(said(&[("dmarc-missing", Severity::Warning, "_dmarc.a")], &[above]), "dmarc-inherited");
    }
}
