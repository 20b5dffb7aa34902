//! What can be typed. Every flag can also be set by `REHOME_<FLAG>`.

mod control;
mod cutover;
mod dedup;
mod dns;
mod failed;
mod report;

use std::path::PathBuf;

pub(super) use self::{
    control::{FromArgs, LimitsArgs},
    cutover::CutoverCommand,
    dedup::DedupArgs,
    dns::{CheckArgs, DnsCommand, SpfArgs},
    failed::{FailedCommand, Select},
    report::ReportArgs,
};

use super::filter::FilterArgs;
use crate::model::AclChoice;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// Moves mail addresses between mail platforms declaratively.
#[derive(Debug, Parser)]
#[command(
    name = "rehome",
    version,
    about = "Move mail addresses between mail platforms: a YAML spec, a reviewed plan, an apply that loses nothing",
    after_help = "Start with `rehome demo`, then `rehome init`. Exit codes: docs/exit-codes.md",
    disable_help_subcommand = true,
    propagate_version = true
)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, ClapArgs)]
pub(super) struct Global {
    /// Folder of the journal [default: `.rehome` beside the spec]
    #[arg(long, global = true, value_name = "DIR", env = "REHOME_WORKSPACE", help_heading = "Global options")]
    pub(super) workspace: Option<PathBuf>,
    /// How the answer is written to stdout
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = Format::Human,
        env = "REHOME_FORMAT",
        help_heading = "Global options"
    )]
    pub(super) format: Format,
    /// When to use colour; `NO_COLOR` is honoured
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = Color::Auto,
        env = "REHOME_COLOR",
        help_heading = "Global options"
    )]
    pub(super) color: Color,
    /// Write every event as one JSON object per line to this file
    #[arg(long, global = true, value_name = "FILE", env = "REHOME_EVENTS", help_heading = "Global options")]
    pub(super) events: Option<PathBuf>,
    /// Never ask; implied without a terminal
    #[arg(long, global = true, env = "REHOME_NO_INPUT", help_heading = "Global options")]
    pub(super) no_input: bool,
    /// Say less: no progress
    #[arg(short, long, global = true, env = "REHOME_QUIET", help_heading = "Global options")]
    pub(super) quiet: bool,
    /// Say more; twice for every request
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub(super) verbose: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Text for people
    Human,
    /// One JSON document
    Json,
    /// Markdown for a pull request
    Markdown,
    /// One page that needs nothing else (plans; elsewhere the same as human)
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The spec that a command works on.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(super) struct SpecArg {
    /// The spec: a YAML file, or a folder of them
    #[arg(value_name = "SPEC", default_value = ".", env = "REHOME_SPEC")]
    pub(super) spec: PathBuf,
}

/// How the world is looked at.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(super) struct LookArgs {
    /// Do not log into mailboxes: passwords are not needed, sizes and logins stay unchecked
    #[arg(long, env = "REHOME_NO_LOGINS")]
    pub(super) no_logins: bool,
    /// Do not ask DNS
    #[arg(long, env = "REHOME_NO_DNS")]
    pub(super) no_dns: bool,
}

/// How a plan is carried out.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(super) struct ApplyArgs {
    /// Acknowledge a guard by its code; can be given several times
    #[arg(long, value_name = "CODE", env = "REHOME_ACK", value_delimiter = ',')]
    pub(super) ack: Vec<String>,
    /// Acknowledgements that were reviewed: a YAML file with `plan`, `acknowledge` and `reason`; can be given several times
    #[arg(long, value_name = "FILE", env = "REHOME_ACK_FILE", value_delimiter = ',')]
    pub(super) ack_file: Vec<PathBuf>,
    /// Stop after this action or phase (`domain`, `account`, `dependent`, `copy`, `verify`, `cutover`) and exit with 7
    #[arg(long, value_name = "ACTION|PHASE", env = "REHOME_UNTIL")]
    pub(super) until: Option<String>,
    /// Begin nothing while this file exists, nor while there is `hold` in the folder of the journal
    #[arg(long, value_name = "FILE", env = "REHOME_HOLD_FILE")]
    pub(super) hold_file: Option<PathBuf>,
    /// Begin something only in these hours, such as "Mon-Fri 22:00-06:00 Europe/Paris"; can be given several times
    #[arg(long, value_name = "HOURS", env = "REHOME_WINDOW", value_delimiter = ';')]
    pub(super) window: Vec<String>,
    /// Exit with 7 instead of waiting for validations, approvals, hours and hold files
    #[arg(long, env = "REHOME_NO_WAIT")]
    pub(super) no_wait: bool,
    /// Mailboxes that are copied at the same time
    #[arg(long, value_name = "N", default_value_t = 4, env = "REHOME_PARALLEL")]
    pub(super) parallel: usize,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a commented spec to start from
    Init {
        /// The file to write
        #[arg(default_value = "rehome.yaml")]
        file: PathBuf,
    },
    /// Check a spec without looking at any platform
    Validate {
        #[command(flatten)]
        spec: SpecArg,
    },
    /// Put a spec in good form: indentation, spacing, order at the top; comments stay
    Fmt {
        #[command(flatten)]
        spec: SpecArg,
        /// Change nothing; exit with 2 when a file is not in good form
        #[arg(long, env = "REHOME_CHECK")]
        check: bool,
        /// Show what would change, and change nothing
        #[arg(long, env = "REHOME_DIFF")]
        diff: bool,
    },
    /// Write a spec of what exists, or of a table
    Import(ImportArgs),
    /// Show what `apply` would do
    Plan(PlanArgs),
    /// Show a saved plan
    Show {
        /// A file written by `plan --out`
        plan: PathBuf,
        /// Draw the order of the actions
        #[arg(long, value_enum, env = "REHOME_GRAPH")]
        graph: Option<GraphKind>,
        /// The most octets of `--format markdown`
        #[arg(long, value_name = "N", default_value_t = MARKDOWN_LIMIT, env = "REHOME_MAX_BYTES")]
        max_bytes: usize,
    },
    /// What differs between two saved plans
    Diff {
        /// The earlier plan
        old: PathBuf,
        /// The later plan
        new: PathBuf,
        /// Exit with 2 when they differ
        #[arg(long, env = "REHOME_DETAILED_EXITCODE")]
        detailed_exitcode: bool,
    },
    /// What is there and differs from the spec; changes nothing
    Drift {
        #[command(flatten)]
        spec: SpecArg,
        /// Exit with 2 when something differs
        #[arg(long, env = "REHOME_DETAILED_EXITCODE")]
        detailed_exitcode: bool,
        /// Do not ask DNS
        #[arg(long, env = "REHOME_NO_DNS")]
        no_dns: bool,
    },
    /// Protect accounts from being reset or deleted, whatever a spec says; without addresses, list them
    Protect {
        /// The accounts
        #[arg(value_name = "ADDRESS")]
        accounts: Vec<String>,
        /// Take the protection away again
        #[arg(long)]
        release: bool,
        /// The spec whose journal keeps it
        #[arg(long, default_value = ".", env = "REHOME_SPEC")]
        spec: PathBuf,
    },
    /// Do what a spec or a saved plan says
    Apply {
        /// The spec, or a plan saved by `plan --out`
        #[arg(value_name = "SPEC|PLAN", default_value = ".", env = "REHOME_SPEC")]
        input: PathBuf,
        /// The spec that a saved plan was made from [default: the path it was made with]
        #[arg(long, value_name = "SPEC")]
        spec: Option<PathBuf>,
        /// Do not ask for a yes
        #[arg(long, env = "REHOME_AUTO_APPROVE")]
        auto_approve: bool,
        /// When a saved plan is stale, plan anew and go on if the new plan does the same; exit with 5 if not
        #[arg(long, env = "REHOME_REPLAN_IF_EQUIVALENT")]
        replan_if_equivalent: bool,
        #[command(flatten)]
        apply: ApplyArgs,
        #[command(flatten)]
        look: LookArgs,
    },
    /// Go on with the run that was interrupted, or let the live run go on that was paused
    Resume {
        #[command(flatten)]
        spec: SpecArg,
        #[command(flatten)]
        apply: ApplyArgs,
    },
    /// Say that actions may begin which wait for somebody's word (`gates: { approval: [...] }`)
    Approve {
        /// The gate, such as `retire`, or a run, such as `run-000001`, for all its gates
        #[arg(value_name = "GATE|RUN")]
        what: String,
        /// The spec whose journal it is
        #[arg(long, default_value = ".", env = "REHOME_SPEC")]
        spec: PathBuf,
    },
    /// What is done and what is not
    Status {
        #[command(flatten)]
        spec: SpecArg,
        /// Follow the run to its end; with `--format json`, its events
        #[arg(long, env = "REHOME_WATCH")]
        watch: bool,
    },
    /// Keep the live run from beginning anything new and from reading and sending mail; `resume` lets it go on
    Pause {
        #[command(flatten)]
        spec: SpecArg,
    },
    /// Show or change the limits of the live run
    Limits(LimitsArgs),
    /// The move of an MX: where it stands, and a person's word about it
    Cutover {
        #[command(subcommand)]
        command: CutoverCommand,
    },
    /// Prove that all mail is there and DNS is right; changes nothing
    Verify {
        /// The spec, with `mail` or `dns` before it to verify that alone
        #[arg(value_name = "SPEC", default_value = ".", num_args = 0..=2, env = "REHOME_SPEC")]
        words: Vec<PathBuf>,
        /// What to verify
        #[arg(long, value_enum, default_value_t = VerifyWhat::All, env = "REHOME_WHAT")]
        what: VerifyWhat,
        /// Only this account; can be given several times
        #[arg(long, value_name = "ADDRESS")]
        account: Vec<String>,
    },
    /// Mail DNS of any domain, without a spec; changes nothing
    Dns {
        #[command(subcommand)]
        command: DnsCommand,
    },
    /// What a finding about DNS means, and what to do
    Explain {
        /// The code, such as `spf-lookups` [default: list them all]
        code: Option<String>,
    },
    /// The record of a migration, pages and settings for its users
    Report(ReportArgs),
    /// The record of every intent and outcome
    Journal {
        #[command(subcommand)]
        command: JournalCommand,
    },
    /// Messages that could not be copied
    Failed {
        #[command(subcommand)]
        command: FailedCommand,
    },
    /// Copy one mailbox to another, without a spec
    Copy(CopyArgs),
    /// Find messages that a folder holds more than once; set them aside when asked to, and bring them back
    Dedup(DedupArgs),
    /// A mail world on this machine to rehearse in
    Sandbox(SandboxArgs),
    /// The whole way on a sandbox in this process: validate, plan, apply, verify, and an empty second plan
    Demo {
        /// Keep the sandbox running at the end
        #[arg(long)]
        keep: bool,
        /// The seed of all mail
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// What each platform can hold
    Platforms,
    /// Check this machine, the credentials and the way to every platform; changes nothing
    Doctor {
        #[command(flatten)]
        spec: SpecArg,
    },
    /// The JSON Schema of the spec (for editors), of a plan or of an event
    Schema {
        /// Of what
        #[arg(value_enum, default_value_t = SchemaKind::Spec)]
        of: SchemaKind,
    },
    /// Completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The manual pages
    Man {
        /// Write a page for every command into this folder [default: the page of rehome, on stdout]
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
}

/// The most that forges take in one comment, with room for what a bot adds.
pub(super) const MARKDOWN_LIMIT: usize = 65_000;

#[derive(Debug, Clone, Default, ClapArgs)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub(super) spec: SpecArg,
    /// Save the plan; `apply FILE` then does exactly this
    #[arg(long, value_name = "FILE", env = "REHOME_OUT")]
    pub(super) out: Option<PathBuf>,
    /// Exit with 2 when there is something to do
    #[arg(long, env = "REHOME_DETAILED_EXITCODE")]
    pub(super) detailed_exitcode: bool,
    /// Only this address, domain or action, and what it needs; can be given several times. Empties no mailbox
    #[arg(long, value_name = "NAME", env = "REHOME_TARGET", value_delimiter = ',')]
    pub(super) target: Vec<String>,
    /// Not this address, domain or action, nor what needs it; can be given several times. Empties no mailbox
    #[arg(long, value_name = "NAME", env = "REHOME_EXCLUDE", value_delimiter = ',')]
    pub(super) exclude: Vec<String>,
    /// Plan the way back of a run, such as `run-000001`
    #[arg(long, value_name = "RUN", conflicts_with_all = ["target", "exclude"], env = "REHOME_ROLLBACK")]
    pub(super) rollback: Option<String>,
    /// Show the difference of the objects as they are and as the plan leaves them, in unified form
    #[arg(long, env = "REHOME_DIFF")]
    pub(super) diff: bool,
    /// The most octets of `--format markdown`
    #[arg(long, value_name = "N", default_value_t = MARKDOWN_LIMIT, env = "REHOME_MAX_BYTES")]
    pub(super) max_bytes: usize,
    #[command(flatten)]
    pub(super) look: LookArgs,
}

#[derive(Debug, Clone, ClapArgs)]
pub(super) struct ImportArgs {
    /// A platform of the spec, or `csv`, or `omm-csv`
    #[arg(value_name = "PLATFORM|csv|omm-csv", required_unless_present = "from")]
    pub(super) what: Option<String>,
    /// The table, for `csv` and `omm-csv`
    #[arg(value_name = "FILE")]
    pub(super) table: Option<PathBuf>,
    /// The platform to move from; with --to the migration is written
    #[arg(long, value_name = "PLATFORM", requires = "to", env = "REHOME_IMPORT_FROM")]
    pub(super) from: Option<String>,
    /// The platform to move to
    #[arg(long, value_name = "PLATFORM", requires = "from", env = "REHOME_IMPORT_TO")]
    pub(super) to: Option<String>,
    /// Only this domain; can be given several times
    #[arg(long, value_name = "DOMAIN", env = "REHOME_DOMAIN", value_delimiter = ',')]
    pub(super) domain: Vec<String>,
    /// The spec that names the platforms; nothing else of it is used
    #[arg(long, default_value = ".", env = "REHOME_SPEC")]
    pub(super) spec: PathBuf,
    /// Write to this new file instead of stdout
    #[arg(long, value_name = "FILE", env = "REHOME_OUT")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum GraphKind {
    /// Mermaid, which forges draw inside Markdown
    Mermaid,
    /// DOT, for Graphviz
    Dot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaKind {
    /// The spec
    Spec,
    /// The plan
    Plan,
    /// A line of `--events FILE`
    Event,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum VerifyWhat {
    /// Mail and DNS
    All,
    /// Every message
    Mail,
    /// DNS
    Dns,
}

#[derive(Debug, Subcommand)]
pub(super) enum JournalCommand {
    /// The runs, newest last
    Log {
        #[command(flatten)]
        spec: SpecArg,
        /// The same, as the two others take it
        #[arg(long = "spec", id = "spec_option", value_name = "SPEC", hide = true)]
        named: Option<PathBuf>,
    },
    /// Every entry of one run
    Show {
        /// The run, such as `run-000001` [default: the last]
        run: Option<String>,
        /// The spec whose journal it is
        #[arg(long, default_value = ".", env = "REHOME_SPEC")]
        spec: PathBuf,
    },
    /// Settle an action of which nobody can tell whether it was done
    Resolve {
        /// The action, as the plan names it
        action: String,
        /// What is true
        #[arg(long = "as", value_enum)]
        outcome: Resolution,
        /// The spec whose journal it is
        #[arg(long, default_value = ".", env = "REHOME_SPEC")]
        spec: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Resolution {
    /// It was done
    Done,
    /// It was not done; try again
    Retry,
}

#[derive(Debug, Clone, ClapArgs)]
pub(super) struct CopyArgs {
    /// Where mail comes from: imap[s]://USER@HOST[:PORT]
    #[arg(long, value_name = "URL", env = "REHOME_FROM")]
    pub(super) from: String,
    /// Where mail goes: imap[s]://USER@HOST[:PORT]
    #[arg(long, value_name = "URL", env = "REHOME_TO")]
    pub(super) to: String,
    /// The source's password: env:NAME, file:PATH or command:PROGRAM
    #[arg(long, value_name = "REF", env = "REHOME_FROM_PASSWORD", required_unless_present = "from_token")]
    pub(super) from_password: Option<String>,
    /// The target's password: env:NAME, file:PATH or command:PROGRAM
    #[arg(long, value_name = "REF", env = "REHOME_TO_PASSWORD", required_unless_present = "to_token")]
    pub(super) to_password: Option<String>,
    /// The source's bearer token instead of a password; read anew for each login
    #[arg(long, value_name = "REF", env = "REHOME_FROM_TOKEN", conflicts_with = "from_password")]
    pub(super) from_token: Option<String>,
    /// The target's bearer token instead of a password; read anew for each login
    #[arg(long, value_name = "REF", env = "REHOME_TO_TOKEN", conflicts_with = "to_password")]
    pub(super) to_token: Option<String>,
    /// The folder that remembers what is copied [default: .rehome/copy-<names>]
    #[arg(long, value_name = "DIR", env = "REHOME_STATE")]
    pub(super) state: Option<PathBuf>,
    /// Only say what would be copied
    #[arg(long, env = "REHOME_DRY_RUN")]
    pub(super) dry_run: bool,
    /// Read every message of both sides again afterwards, and compare
    #[arg(long, env = "REHOME_VERIFY")]
    pub(super) verify: bool,
    /// The rights that others have on folders
    #[arg(long, value_enum, default_value_t = AclArg::Leave, env = "REHOME_ACL")]
    pub(super) acl: AclArg,
    /// Allow connections without TLS to other machines
    #[arg(long, env = "REHOME_INSECURE")]
    pub(super) insecure: bool,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AclArg {
    /// Do not ask for them
    Leave,
    /// Tell what the source tells
    Report,
    /// Give them at the target too
    Copy,
}

impl From<AclArg> for AclChoice {
    fn from(arg: AclArg) -> Self {
        match arg {
            AclArg::Leave => Self::Leave,
            AclArg::Report => Self::Report,
            AclArg::Copy => Self::Copy,
        }
    }
}

#[derive(Debug, Clone, ClapArgs)]
pub(super) struct SandboxArgs {
    /// Where the mail is kept
    #[arg(long, value_enum, default_value_t = SandboxImap::Memory, env = "REHOME_SANDBOX_IMAP")]
    pub(super) imap: SandboxImap,
    /// The seed of all content
    #[arg(long, default_value_t = 1, env = "REHOME_SANDBOX_SEED")]
    pub(super) seed: u64,
    /// Write one JSON object to this file when it accepts connections
    #[arg(long, value_name = "FILE", env = "REHOME_SANDBOX_READY_FILE")]
    pub(super) ready_file: Option<PathBuf>,
    /// Write a spec that moves everybody, and the variables it needs, into this folder
    #[arg(long, value_name = "DIR", env = "REHOME_SANDBOX_WRITE")]
    pub(super) write: Option<PathBuf>,
    /// Which world: the three people of the demo, or a fleet on four routes
    #[arg(long, value_enum, default_value_t = SandboxWorld::Demo, env = "REHOME_SANDBOX_WORLD")]
    pub(super) world: SandboxWorld,
    /// People of a fleet
    #[arg(long, default_value_t = 20, env = "REHOME_SANDBOX_PEOPLE")]
    pub(super) people: usize,
    /// Messages in all [default: 60 per mailbox]
    #[arg(long, env = "REHOME_SANDBOX_MESSAGES")]
    pub(super) messages: Option<usize>,
    /// TCP port of the API; 0 takes any
    #[arg(long, default_value_t = 0, env = "REHOME_SANDBOX_PORT")]
    pub(super) port: u16,
    /// How long a task of the API takes, in milliseconds
    #[arg(long, default_value_t = 20, env = "REHOME_SANDBOX_TASK_DELAY")]
    pub(super) task_delay: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SandboxImap {
    /// In this process
    Memory,
    /// Two private Dovecots
    Dovecot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SandboxWorld {
    /// Three people on Exchange
    Demo,
    /// Many people: Exchange to Email Pro, Email Pro to MX Plan, legacy MX Plan to Zimbra, Exchange to Exchange
    Fleet,
}
