//! The configuration of one instance, for Dovecot 2.3.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use rand::{Rng, distr::Alphanumeric};

use super::process::Owner;
use crate::sandbox::mail::{attribute, special_folders};

/// The user who opens any mailbox.
pub const MASTER_USER: &str = "master";
/// What stands between the account and the master user.
pub const MASTER_SEPARATOR: char = '*';

/// A password for the master user: only this process knows it.
pub(super) fn random_password() -> String {
    rand::rng().sample_iter(Alphanumeric).take(32).map(char::from).collect()
}

/// How the accounts are looked up: one file per account below the port that was dialled.
pub(super) fn accounts(dir: &Path) -> String {
    let key = "%{lport}/%Lu";
    format!(
        "uri = fs:posix:prefix={}/users/\niterate_disable = yes\n\
         key passdb {{\n  key = {key}\n  format = json\n}}\n\
         key userdb {{\n  key = {key}\n  format = json\n}}\n\
         passdb_objects = passdb\nuserdb_objects = userdb\n",
        dir.display()
    )
}

/// The main file. Half of the instances keep mail as Maildir, the others in Dovecot's own format, because the two keep
/// dates and keywords in different ways.
pub(super) fn main(dir: &Path, owner: &Owner, ports: &BTreeMap<String, u16>, second: bool) -> String {
    let d = dir.display();
    let (user, group) = (&owner.user, &owner.group);
    let location = if second { "sdbox:~/mail" } else { "maildir:~/mail:LAYOUT=fs" };
    let mut listeners = String::new();
    for (name, port) in ports {
        let _infallible = write!(listeners, "\n  inet_listener imap-{name} {{\n    port = {port}\n  }}");
    }
    let mut folders = String::new();
    for (purpose, name) in special_folders(if second { "emailpro" } else { "exchange" }) {
        let _infallible = write!(
            folders,
            "\n  mailbox \"{name}\" {{\n    special_use = {}\n    auto = subscribe\n  }}",
            attribute(purpose)
        );
    }
    format!(
        r"base_dir = {d}/run
state_dir = {d}/run
instance_name = rehome-sandbox
log_path = {d}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
auth_username_chars =
auth_master_user_separator = {MASTER_SEPARATOR}
auth_failure_delay = 0
auth_cache_size = 0
passdb {{
  driver = passwd-file
  args = {d}/masters
  master = yes
  result_success = continue
}}
passdb {{
  driver = dict
  args = {d}/accounts.conf
}}
userdb {{
  driver = dict
  args = {d}/accounts.conf
  default_fields = uid={user} gid={group}
}}
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
default_process_limit = 1000
default_client_limit = 5000
first_valid_uid = 1
first_valid_gid = 1
mail_location = {location}
mail_fsync = never
mail_max_userip_connections = 1000
mailbox_list_index = yes
namespace inbox {{
  inbox = yes
  separator = /
  mailbox INBOX {{
    auto = subscribe
  }}{folders}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  service_count = 0
  process_min_avail = 1
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = 0
  }}{listeners}
}}
service imap {{
  process_limit = 1000
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_its_listener_and_its_accounts() {
        let owner = Owner::named("someone", "some");
        let ports = BTreeMap::from([("exchange".to_owned(), 1143), ("mxplan".to_owned(), 1144)]);
        let text = main(Path::new("/x"), &owner, &ports, false);
        assert!(text.contains("inet_listener imap-exchange {\n    port = 1143\n  }"), "{text}");
        assert!(text.contains("uid=someone gid=some"));
        assert!(text.contains("mailbox \"Sent\" {\n    special_use = \\Sent"));
        assert!(accounts(Path::new("/x")).contains("fs:posix:prefix=/x/users/"));
    }
}
