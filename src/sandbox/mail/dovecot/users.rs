//! Accounts as files that Dovecot reads at every login.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use super::process::Owner;

/// The accounts of one service.
#[derive(Debug)]
pub(super) struct Users {
    /// Where the files are.
    dir: PathBuf,
    /// Where the mail is.
    mail: PathBuf,
    owner: Owner,
    next: AtomicU64,
    /// One change at a time: a change reads a file and writes it back.
    change: Mutex<()>,
}

/// What the file of an account holds: fields of Dovecot's dict passdb and userdb.
#[derive(Serialize, Deserialize)]
struct Entry {
    /// With its scheme in front.
    password: String,
    /// Not the name of the account, so that a rename moves no mail.
    home: PathBuf,
    /// Logins are refused when it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nologin: Option<String>,
    /// What a refused login is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Users {
    pub(super) fn create(dir: &Path, port: u16, owner: &Owner) -> io::Result<Self> {
        let users = Self {
            dir: dir.join("users").join(port.to_string()),
            mail: dir.join("mail").join(port.to_string()),
            owner: owner.clone(),
            next: AtomicU64::new(1),
            change: Mutex::new(()),
        };
        for dir in [&users.dir, &users.mail] {
            fs::create_dir_all(dir)?;
            owner.give(dir)?;
        }
        Ok(users)
    }

    pub(super) fn create_user(&self, user: &str, password: &str) -> io::Result<()> {
        let _one = self.lock();
        self.must_be_free(user)?;
        let home = self.mail.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        self.write(user, &Entry { password: plain(password), home, nologin: None, reason: None })
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let _one = self.lock();
        self.must_exist(from)?;
        if from != to {
            self.must_be_free(to)?;
        }
        fs::rename(self.path(from), self.path(to))
    }

    pub(super) fn set_password(&self, user: &str, password: &str) -> io::Result<()> {
        let _one = self.lock();
        let entry = self.read(user)?;
        self.write(user, &Entry { password: plain(password), ..entry })
    }

    pub(super) fn set_imap(&self, user: &str, enabled: bool) -> io::Result<()> {
        let _one = self.lock();
        let entry = self.read(user)?;
        let nologin = (!enabled).then(|| "y".to_owned());
        let reason = (!enabled).then(|| "IMAP is switched off for this account".to_owned());
        self.write(user, &Entry { nologin, reason, ..entry })
    }

    pub(super) fn remove(&self, user: &str) -> io::Result<()> {
        let _one = self.lock();
        let home = self.read(user)?.home;
        fs::remove_file(self.path(user))?;
        match fs::remove_dir_all(home) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    pub(super) fn must_exist(&self, user: &str) -> io::Result<()> {
        self.read(user).map(drop)
    }

    fn must_be_free(&self, user: &str) -> io::Result<()> {
        if self.path(user).try_exists()? {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("there is already a mailbox `{user}`")));
        }
        Ok(())
    }

    fn path(&self, user: &str) -> PathBuf {
        self.dir.join(user)
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, user: &str) -> io::Result<Entry> {
        let text = fs::read(self.path(user)).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => io::Error::new(e.kind(), format!("there is no mailbox `{user}`")),
            _ => e,
        })?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// A login sees the old file or the new one, never a part.
    fn write(&self, user: &str, entry: &Entry) -> io::Result<()> {
        let fresh = self.dir.join(".new");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        serde_json::to_writer(&mut file, entry)?;
        self.owner.give(&fresh)?;
        fs::rename(fresh, self.path(user))
    }
}

fn plain(password: &str) -> String {
    format!("{{PLAIN}}{password}")
}
