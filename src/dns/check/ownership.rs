//! Proof that a domain belongs to whoever adds it to a platform.

use super::{Complete as _, Scene, answers::shown, finding, publish, severity, wanted as told};
use crate::{
    diag::{Finding, Severity},
    model::DnsTopic,
};

pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let wanted = scene.expected(DnsTopic::Ownership);
    if wanted.is_empty() {
        let subject = format!("{} ownership", scene.domain);
        return vec![finding(
            "ownership-not-asked",
            Severity::Info,
            subject,
            "the platform asks for no proof of ownership",
        )];
    }
    let each = wanted.into_iter().flat_map(|record| {
        scene.judge(&record.name, record.rtype, |values| {
            let name = &record.name;
            let (code, how_bad, message) = if values.contains(&record.value) {
                ("ownership-ok", Severity::Ok, format!("{name} proves that the domain is yours"))
            } else if values.is_empty() {
                ("ownership-missing", severity(record.need), format!("{name} is missing: the platform waits for it"))
            } else {
                ("ownership-wrong", severity(record.need), format!("{name} is not what the platform waits for"))
            };
            let out = finding(code, how_bad, name, message).expected(told(record)).actual(shown(values));
            vec![if how_bad == Severity::Ok { out } else { out.fix(publish(record)) }]
        })
    });
    each.collect()
}
