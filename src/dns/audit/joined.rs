//! One list of what the servers of a domain say and what the audit finds behind it.

use crate::diag::{Finding, Severity};

/// Joins the findings of [`check`](crate::dns::check) with those of an audit. What is fine at the domain itself is no
/// consolation where what it rests on is wrong, and a policy that was found above is not missing.
#[must_use]
pub fn join(own: Vec<Finding>, audited: Vec<Finding>) -> Vec<Finding> {
    let mut out: Vec<Finding> = own.into_iter().filter(|f| !audited.iter().any(|a| replaces(a, f))).collect();
    out.extend(audited);
    out
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
        let above = ("dmarc-inherited", Severity::Info, "_dmarc.a");
        assert_eq!(said(&[("dmarc-missing", Severity::Warning, "_dmarc.a")], &[above]), "dmarc-inherited");
    }
}
