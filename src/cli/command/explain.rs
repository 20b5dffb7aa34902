//! `rehome explain`: the long form of a finding's code.

use serde_json::json;

use crate::{
    cli::{args::Format, context::Context, failure::Failure},
    diag::Exit,
    dns::codes,
};

/// Explains one code, or lists them all.
pub(super) fn run(context: &Context, code: Option<&str>) -> Result<Exit, Failure> {
    let Some(word) = code else {
        let list: String = codes::words().into_iter().map(|w| format!("{w}\n")).collect();
        context.answer(&list)?;
        return Ok(Exit::Ok);
    };
    let Some(found) = codes::code(word) else {
        let failure = Failure::new(Exit::Invalid, format!("`{word}` is no code of a finding about DNS"));
        let near = codes::words()
            .into_iter()
            .max_by(|a, b| strsim::jaro_winkler(a, word).total_cmp(&strsim::jaro_winkler(b, word)));
        return Err(failure.help(match near.filter(|n| strsim::jaro_winkler(n, word) > 0.8) {
            Some(near) => format!("did you mean `{near}`? `rehome explain` lists them all"),
            None => "`rehome explain` lists them all".to_owned(),
        }));
    };
    let text = match context.global.format {
        Format::Json => {
            let told = json!({
                "code": found.code, "severity": found.severity, "section": found.section,
                "what": found.what, "why": found.why, "cure": found.cure,
            });
            format!("{}\n", serde_json::to_string_pretty(&told).unwrap_or_default())
        }
        Format::Human | Format::Markdown | Format::Html => found.text(),
    };
    context.answer(&text)?;
    Ok(Exit::Ok)
}
