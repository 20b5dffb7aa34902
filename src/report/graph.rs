//! The order of a plan as a graph: Mermaid for a review, DOT for Graphviz.
//!
//! A node is an action while there are few; a large plan is drawn as steps, each of which is all actions of one kind in
//! one domain.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use crate::{diag::count, model::Phase, plan::Plan};

use super::{
    phrase::{self, Phrase},
    style::clean,
};

/// More actions than this are drawn as steps: Mermaid stops at 500 edges, people earlier.
const ACTIONS: usize = 80;
/// More steps than this are drawn without their domains.
const STEPS: usize = 120;

/// The languages a graph can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Graph {
    /// Mermaid, which forges draw inside Markdown.
    Mermaid,
    /// DOT, for Graphviz.
    Dot,
}

/// The actions of a plan and what each requires.
#[must_use]
pub fn plan_graph(plan: &Plan, language: Graph) -> String {
    let drawing = draw(plan);
    match language {
        Graph::Mermaid => mermaid(&drawing),
        Graph::Dot => dot(plan, &drawing),
    }
}

struct Node {
    phase: Phase,
    label: String,
    grave: bool,
}

struct Drawing {
    nodes: Vec<Node>,
    edges: BTreeSet<(usize, usize)>,
}

type Key = (Phase, String, String);

fn draw(plan: &Plan) -> Drawing {
    let actions = &plan.body.actions;
    let by = |at: usize, domains: bool| -> Key {
        let Some(action) = actions.get(at) else { return (Phase::Domain, String::new(), String::new()) };
        let domain = if domains { phrase::domain_of(action).to_owned() } else { String::new() };
        (action.phase, Phrase::of(action).verb.to_owned(), domain)
    };
    let steps = |domains: bool| (0..actions.len()).map(|at| by(at, domains)).collect::<Vec<Key>>();
    let keys: Vec<Key> = if actions.len() <= ACTIONS {
        actions.iter().map(|a| (a.phase, a.id.to_string(), String::new())).collect()
    } else {
        let fine = steps(true);
        if fine.iter().collect::<BTreeSet<_>>().len() <= STEPS { fine } else { steps(false) }
    };
    let mut nodes: Vec<Node> = Vec::new();
    let mut places: BTreeMap<&Key, (usize, u64)> = BTreeMap::new();
    let mut of = Vec::with_capacity(actions.len());
    for (key, action) in keys.iter().zip(actions) {
        let (place, n) = places.entry(key).or_insert_with(|| {
            nodes.push(Node { phase: action.phase, label: String::new(), grave: false });
            (nodes.len() - 1, 0)
        });
        *n += 1;
        of.push(*place);
        if let Some(node) = nodes.get_mut(*place) {
            node.grave |= phrase::is_grave(action);
            let phrase = Phrase::of(action);
            let many = if key.2.is_empty() { String::new() } else { format!(" in {}", key.2) };
            node.label = match *n {
                1 => format!("{} {}", phrase.verb, phrase.object),
                n => format!("{} {}{many}", phrase.verb, count(n)),
            };
        }
    }
    let names: BTreeMap<&str, usize> = actions.iter().zip(&of).map(|(a, n)| (a.id.as_str(), *n)).collect();
    let mut edges = BTreeSet::new();
    for (action, to) in actions.iter().zip(&of) {
        for required in &action.requires {
            if let Some(from) = names.get(required.as_str()).filter(|from| *from != to) {
                edges.insert((*from, *to));
            }
        }
    }
    Drawing { edges: thinned(&nodes, edges), nodes }
}

/// Without the edges that others say already: when b requires a and c requires both, a to c says nothing.
fn thinned(nodes: &[Node], edges: BTreeSet<(usize, usize)>) -> BTreeSet<(usize, usize)> {
    let mut next: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); nodes.len()];
    for (from, to) in &edges {
        if let Some(all) = next.get_mut(*from) {
            all.insert(*to);
        }
    }
    let reached = |from: usize, skip: usize| {
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        let firsts = next.get(from).into_iter().flatten().copied().filter(|to| *to != skip);
        let mut open: Vec<usize> = firsts.collect();
        while let Some(at) = open.pop() {
            if seen.insert(at) {
                open.extend(next.get(at).into_iter().flatten());
            }
        }
        seen
    };
    edges.iter().copied().filter(|(from, to)| !reached(*from, *to).contains(to)).collect()
}

/// The nodes phase by phase.
fn phases(drawing: &Drawing) -> BTreeMap<Phase, Vec<(usize, &Node)>> {
    let mut out: BTreeMap<Phase, Vec<(usize, &Node)>> = BTreeMap::new();
    for (at, node) in drawing.nodes.iter().enumerate() {
        out.entry(node.phase).or_default().push((at, node));
    }
    out
}

fn mermaid(drawing: &Drawing) -> String {
    let label = |text: &str| clean(text).replace('"', "'").replace('\n', " ").replace(['<', '>', '#', ';'], " ");
    let mut out = String::from("flowchart TD\n");
    for (phase, nodes) in phases(drawing) {
        let _ = writeln!(out, "  subgraph {phase:?}[\"{}\"]", phase.title());
        for (at, node) in nodes {
            let class = if node.grave { ":::grave" } else { "" };
            let _ = writeln!(out, "    n{at}[\"{}\"]{class}", label(&node.label));
        }
        out.push_str("  end\n");
    }
    for (from, to) in &drawing.edges {
        let _ = writeln!(out, "  n{from} --> n{to}");
    }
    out.push_str("  classDef grave stroke:#b3261e,stroke-width:3px\n");
    out
}

fn dot(plan: &Plan, drawing: &Drawing) -> String {
    let label = |text: &str| clean(text).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ");
    let mut out = format!(
        "digraph \"plan {}\" {{\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n",
        plan.id.short()
    );
    for (n, (phase, nodes)) in phases(drawing).into_iter().enumerate() {
        let _ = writeln!(out, "  subgraph cluster_{n} {{\n    label=\"{}\";", phase.title());
        for (at, node) in nodes {
            let color = if node.grave { ", color=red, penwidth=2" } else { "" };
            let _ = writeln!(out, "    n{at} [label=\"{}\"{color}];", label(&node.label));
        }
        out.push_str("  }\n");
    }
    for (from, to) in &drawing.edges {
        let _ = writeln!(out, "  n{from} -> n{to};");
    }
    out.push_str("}\n");
    out
}
