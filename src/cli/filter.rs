//! A filter as flags.

use clap::{Args as ClapArgs, ValueEnum};

use super::failure::Failure;
use crate::{
    diag::Exit,
    model::{GmailLabels, MailFilter},
    spec::{read_moment, read_size},
};

/// Which mail is copied.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(super) struct FilterArgs {
    /// Only these folders and what lies below them; `*`, `?` and `**` are wildcards; can be given several times
    #[arg(long, value_name = "GLOB", help_heading = "What is copied")]
    folder: Vec<String>,
    /// Not these folders nor what lies below them; can be given several times
    #[arg(long, value_name = "GLOB", help_heading = "What is copied")]
    exclude: Vec<String>,
    /// Give a folder another name at the target; can be given several times
    #[arg(long, value_name = "OLD=NEW", help_heading = "What is copied")]
    rename: Vec<String>,
    /// Only messages that arrived on this day or later (UTC)
    #[arg(long, value_name = "DATE", env = "REHOME_SINCE", help_heading = "What is copied")]
    since: Option<String>,
    /// Only messages that arrived before this day (UTC)
    #[arg(long, value_name = "DATE", env = "REHOME_UNTIL", help_heading = "What is copied")]
    until: Option<String>,
    /// Only messages of at least this size, such as `10 KB`
    #[arg(long, value_name = "SIZE", env = "REHOME_MIN_SIZE", help_heading = "What is copied")]
    min_size: Option<String>,
    /// Only messages of at most this size, such as `25 MB`
    #[arg(long, value_name = "SIZE", env = "REHOME_MAX_SIZE", help_heading = "What is copied")]
    max_size: Option<String>,
    /// How often a message of Gmail is copied that has several labels
    #[arg(long, value_enum, default_value_t = LabelsArg::Each, env = "REHOME_GMAIL_LABELS", help_heading = "What is copied")]
    gmail_labels: LabelsArg,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum LabelsArg {
    /// Into the folder of each label
    #[default]
    Each,
    /// Into the folder of the first label: INBOX, Sent, Drafts, then the others by name
    Once,
}

impl FilterArgs {
    /// The filter that was typed.
    pub(super) fn read(&self) -> Result<MailFilter, Failure> {
        let mut rename = std::collections::BTreeMap::new();
        for pair in &self.rename {
            let (old, new) = pair
                .split_once('=')
                .ok_or_else(|| wrong("--rename", pair, "write OLD=NEW, such as --rename Old=Archive/Old"))?;
            if rename.insert(old.to_owned(), new.to_owned()).is_some() {
                return Err(wrong("--rename", pair, "the folder has another new name already"));
            }
        }
        let moment = |flag, text: &Option<String>| {
            let read = |t: &String| read_moment(t).ok_or_else(|| wrong(flag, t, "write a day, such as 2020-01-31"));
            text.as_ref().map(read).transpose()
        };
        let size = |flag, text: &Option<String>| {
            let read = |t: &String| read_size(t).ok_or_else(|| wrong(flag, t, "write a size, such as `25 MB`"));
            text.as_ref().map(read).transpose()
        };
        let filter = MailFilter {
            include: self.folder.clone(),
            exclude: self.exclude.clone(),
            rename,
            since: moment("--since", &self.since)?,
            until: moment("--until", &self.until)?,
            min_size: size("--min-size", &self.min_size)?,
            max_size: size("--max-size", &self.max_size)?,
            gmail_labels: match self.gmail_labels {
                LabelsArg::Each => GmailLabels::Each,
                LabelsArg::Once => GmailLabels::Once,
            },
        };
        match filter.problems().first() {
            None => Ok(filter),
            Some(problem) => Err(Failure::new(Exit::Invalid, problem.to_string().replace('_', "-"))),
        }
    }
}

fn wrong(flag: &str, text: &str, help: &str) -> Failure {
    Failure::new(Exit::Invalid, format!("{flag}: `{text}` cannot be read")).help(help)
}
