//! `rehome` moves mail addresses between mail platforms declaratively.
//!
//! # The flow
//!
//! ```text
//! specs/*.yaml ──spec──▶ Spec ─┐
//! platforms, DNS ─observe─▶ Inventory ─┼─plan (pure)─▶ Plan ─▶ terminal / Markdown / JSON, reviewed
//! journal ───────replay──▶ State ─┘                      │
//!                                                        ▼
//!              journal ◀─intent, outcome─ apply ──▶ providers, copy, DNS ──▶ verify (a fresh plan must be empty)
//! ```
//!
//! The planner decides everything and touches nothing. The executor decides nothing.
//!
//! # Words
//!
//! | word | means |
//! |---|---|
//! | spec | what the YAML wants, validated |
//! | inventory | what was observed on platforms and in DNS |
//! | journal | the durable record of intents and outcomes of earlier runs |
//! | state | what the journal says, as the planner needs it |
//! | plan | immutable, ordered, serialisable list of actions and notes; no closures, no secrets |
//! | action | one unit of a plan: kind, subject, reason, requirements, preconditions, undo |
//! | note | why something is *not* planned |
//! | finding | one result of a check |
//! | account, mailbox | the address on a platform's control plane, its mail store |
//! | folder | what IMAP calls "mailbox"; the RFC word is used only inside [`imap`] |
//! | source, target | the platform left, the platform joined |
//! | provisional name | the address that one side has while the other has the real one |
//! | provider | adapter for one mail platform |
//!
//! # Floors
//!
//! A module imports only from lower floors, and siblings never import each other; `tests/it/architecture.rs` checks it.
//!
//! | floor | modules |
//! |---|---|
//! | F0 | [`diag`], `hands`, `index`, [`model`] |
//! | F1 | [`spec`], [`journal`], [`imap`], [`dns`], [`naming`] |
//! | F2 | [`plan`], [`provider`], [`smtp`] |
//! | F3 | [`observe`], [`copy`] |
//! | F4 | [`apply`], [`report`], [`sandbox`] |
//! | F5 | [`cli`] |

pub mod diag;
mod hands;
mod index;
pub mod model;

pub mod dns;
pub mod imap;
pub mod journal;
pub mod naming;
pub mod spec;

pub mod plan;
pub mod provider;
pub mod smtp;

pub mod copy;
pub mod observe;

pub mod apply;
pub mod report;
pub mod sandbox;

pub mod cli;
