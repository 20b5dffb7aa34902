//! The system's keyring, through the tool that the system has for it: what unlocks it, and whom it asks, is then the
//! system's own business, and no bus or framework is linked in.

use super::{SecretError, program, resolve};
use crate::model::Secret;
use std::path::Path;

/// How the keyring of a system is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    /// `secret-tool` of libsecret: the Secret Service of GNOME, KDE and KeePassXC.
    SecretTool,
    /// `security`: the keychain of macOS.
    Security,
}

impl Tool {
    const HERE: Option<Self> = if cfg!(target_os = "macos") {
        Some(Self::Security)
    } else if cfg!(unix) {
        Some(Self::SecretTool)
    } else {
        None
    };

    /// What prints the secret of an entry and nothing else. The attributes are those that other programs use, too.
    fn lookup(self, service: &str, user: &str) -> Vec<String> {
        let words: &[&str] = match self {
            Self::SecretTool => &["secret-tool", "lookup", "service", service, "username", user],
            Self::Security => &["security", "find-generic-password", "-s", service, "-a", user, "-w"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// What a person types to put an entry there.
    fn store(self, service: &str, user: &str) -> String {
        match self {
            Self::SecretTool => format!("secret-tool store --label='{service}' service {service} username {user}"),
            Self::Security => format!("security add-generic-password -s {service} -a {user} -w"),
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::SecretTool => "it comes with libsecret (`libsecret-tools` on Debian)",
            Self::Security => "it comes with macOS",
        }
    }
}

/// Finds an entry `service/user`.
pub(super) fn find(entry: &str, base: &Path, words: program::Words) -> Result<Secret, SecretError> {
    let Some(tool) = Tool::HERE else { return Err(SecretError::NoKeyring(entry.to_owned())) };
    let (service, user) = entry.split_once('/').unwrap_or((entry, ""));
    let missing = || SecretError::KeyringMissing { entry: entry.to_owned(), store: tool.store(service, user) };
    let output = program::run(&tool.lookup(service, user), base, None, words).map_err(|error| match error {
        SecretError::CommandStart { program, source } => {
            SecretError::KeyringTool { entry: entry.to_owned(), program, package: tool.package(), source }
        }
        // Both tools tell in words why, and by status only that there was nothing to be had.
        SecretError::CommandFailed { .. } => missing(),
        other => other,
    })?;
    resolve::text(&output, || format!("the keyring entry `{entry}`"))?.ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_is_asked_by_its_own_tool() {
        let asked = |tool: Tool| tool.lookup("mail", "john@x.org").join(" ");
        assert_eq!(asked(Tool::SecretTool), "secret-tool lookup service mail username john@x.org");
        assert_eq!(asked(Tool::Security), "security find-generic-password -s mail -a john@x.org -w");
    }
}
