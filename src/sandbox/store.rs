//! What the emulated platforms need of the mailboxes behind them.

use std::io;

use async_trait::async_trait;

use crate::model::{Address, ImapEndpoint};

/// The mailboxes behind the emulated services. A mailbox follows its account: a rename keeps the mail.
///
/// `service` is the name of the service in the sandbox, such as `exchange`. Logins are full addresses, compared without
/// case. Every method is atomic with respect to logins: after it returns, new logins see the new state.
#[async_trait]
pub trait MailStore: Send + Sync {
    /// Where the service's mailboxes are opened.
    fn endpoint(&self, service: &str) -> ImapEndpoint;

    /// Makes an empty mailbox.
    async fn create(&self, service: &str, login: &Address, password: &str) -> io::Result<()>;

    /// Gives a mailbox another login; its mail and password stay.
    async fn rename(&self, service: &str, from: &Address, to: &Address) -> io::Result<()>;

    /// Changes the password.
    async fn set_password(&self, service: &str, login: &Address, password: &str) -> io::Result<()>;

    /// Allows or refuses IMAP logins.
    async fn set_imap(&self, service: &str, login: &Address, enabled: bool) -> io::Result<()>;

    /// Deletes a mailbox and its mail.
    async fn remove(&self, service: &str, login: &Address) -> io::Result<()>;

    /// Octets of mail in it.
    async fn usage(&self, service: &str, login: &Address) -> io::Result<u64>;
}
