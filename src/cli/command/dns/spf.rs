//! `rehome dns spf`: whether an address may send for a domain.

use crate::{
    cli::{
        args::{Format, SpfArgs},
        context::Context,
        failure::Failure,
    },
    diag::Exit,
    dns::{
        Servers,
        spf::{Evaluation, LOOKUPS, Outcome, Request, Step, VOIDS, evaluate},
    },
};

/// Evaluates and prints the result with its trace.
pub(super) async fn run(context: &Context, args: SpfArgs) -> Result<Exit, Failure> {
    let client = super::client(context, false);
    let servers = match args.server {
        Some(address) => Servers::new(client, vec![address]),
        None => Servers::system(client)
            .map_err(|e| Failure::new(Exit::Unreachable, e).help("name a resolver with --server"))?,
    };
    let ascii = |name: &str| idna::domain_to_ascii(name).unwrap_or_else(|_| name.to_owned());
    let domain = if args.domain.is_ascii() { args.domain.clone() } else { ascii(&args.domain) };
    let request = Request {
        ip: args.ip,
        domain,
        sender: args.sender,
        helo: args.helo,
        receiver: "unknown".to_owned(),
        time: jiff::Timestamp::now().as_second(),
    };
    let evaluation = evaluate(&servers, &request).await;
    let text = match context.global.format {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&evaluation).unwrap_or_default()),
        Format::Human | Format::Html => human(&evaluation, &request),
        Format::Markdown => markdown(&evaluation, &request),
    };
    context.answer(&text)?;
    Ok(if evaluation.result == Outcome::TempError { Exit::Unreachable } else { Exit::Ok })
}

fn human(evaluation: &Evaluation, request: &Request) -> String {
    let mut out = format!("{}: {} for mail of {}\n", evaluation.result, request.ip, plain(&request.domain));
    out.push_str(&format!("{} of {LOOKUPS} lookups, ", evaluation.lookups));
    out.push_str(&format!("{} of {VOIDS} of them found nothing\n", evaluation.voids));
    if let Some(text) = &evaluation.explanation {
        out.push_str(&format!("the domain explains: {}\n", plain(text)));
    }
    out.push('\n');
    for step in &evaluation.trace {
        out.push_str(&line(step));
    }
    out
}

fn line(step: &Step) -> String {
    let indent = "  ".repeat(step.depth + 1);
    let said = match step.term.as_str() {
        "v=spf1" => plain(&step.outcome),
        "" => plain(&step.outcome),
        term => format!("{}: {}", plain(term), plain(&step.outcome)),
    };
    format!("{indent}{} {said}\n", plain(&step.domain))
}

fn markdown(evaluation: &Evaluation, request: &Request) -> String {
    format!("**{}**: {} for `{}`\n\n```text\n{}```\n", evaluation.result, request.ip, plain(&request.domain), {
        human(evaluation, request).replace("```", "'''")
    })
}

/// Text of a stranger, without what could steer a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
