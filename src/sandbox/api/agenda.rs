//! Work that is accepted now and done later: mailboxes first, then the world, so that nobody sees a renamed account
//! whose mailbox is not there yet.

use std::{
    collections::BTreeMap,
    io,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use crate::model::Address;

use super::world::{Task, TaskStatus, World};

/// Something to do to the mailboxes behind a service.
#[derive(Clone, Debug)]
pub(super) enum MailOp {
    Create { service: String, login: Address, password: String },
    Rename { service: String, from: Address, to: Address },
    Password { service: String, login: Address, password: String },
    Imap { service: String, login: Address, enabled: bool },
    Remove { service: String, login: Address },
}

impl MailOp {
    pub(super) async fn run(self, mail: &dyn crate::sandbox::store::MailStore) -> io::Result<()> {
        match self {
            Self::Create { service, login, password } => mail.create(&service, &login, &password).await,
            Self::Rename { service, from, to } => mail.rename(&service, &from, &to).await,
            Self::Password { service, login, password } => mail.set_password(&service, &login, &password).await,
            Self::Imap { service, login, enabled } => mail.set_imap(&service, &login, enabled).await,
            Self::Remove { service, login } => mail.remove(&service, &login).await,
        }
    }
}

/// What a task does to the world once its time has come. It finds its objects by id: they may have changed.
pub(super) type Effect = Box<dyn FnOnce(&mut World) + Send>;

/// A task that is to be accepted.
pub(super) struct Job {
    pub function: String,
    pub service: String,
    /// The [`object`](super::world::object) key; it is busy until the task ends.
    pub subject: String,
    pub label: String,
    pub list: &'static str,
    /// Addresses that nobody else may take meanwhile.
    pub reserves: Vec<Address>,
    pub mail: Vec<MailOp>,
    pub effect: Effect,
    /// What takes back an object that was already shown, should the task fail.
    pub undo: Option<Effect>,
}

impl Job {
    pub(super) fn new(
        function: &str,
        service: &str,
        subject: String,
        label: impl ToString,
        effect: impl FnOnce(&mut World) + Send + 'static,
    ) -> Self {
        Self {
            function: function.to_owned(),
            service: service.to_owned(),
            subject,
            label: label.to_string(),
            list: "",
            reserves: Vec::new(),
            mail: Vec::new(),
            effect: Box::new(effect),
            undo: None,
        }
    }

    pub(super) fn mail(mut self, op: MailOp) -> Self {
        self.mail.push(op);
        self
    }

    pub(super) fn reserve(mut self, address: Address) -> Self {
        self.reserves.push(address);
        self
    }

    pub(super) fn list(mut self, list: &'static str) -> Self {
        self.list = list;
        self
    }

    pub(super) fn undo(mut self, undo: impl FnOnce(&mut World) + Send + 'static) -> Self {
        self.undo = Some(Box::new(undo));
        self
    }
}

/// Accepted jobs by the moment they are due.
#[derive(Default)]
pub(super) struct Agenda(BTreeMap<(Instant, u64), Job>);

impl Agenda {
    /// The moment the next job is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.keys().next().map(|(due, _)| *due)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a job that is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<(u64, Job)> {
        let entry = self.0.first_entry().filter(|e| e.key().0 <= now)?;
        let id = entry.key().1;
        Some((id, entry.remove()))
    }

    /// Accepts a job: its object is busy and its addresses are reserved from now on.
    pub(super) fn accept(&mut self, world: &mut World, delay: Duration, job: Job) -> Task {
        let id = world.id();
        let accepted = Instant::now();
        let task = Task {
            id,
            function: job.function.clone(),
            service: job.service.clone(),
            subject: job.subject.clone(),
            label: job.label.clone(),
            list: job.list,
            todo: world.now(),
            accepted,
            delay,
            end: None,
        };
        world.tasks.insert(id, task.clone());
        world.busy.insert(job.subject.clone(), id);
        world.reserved.extend(job.reserves.iter().cloned());
        self.0.insert((accepted + delay, id), job);
        task
    }
}

impl World {
    /// Ends a task, with its effect or without.
    pub(super) fn end(&mut self, id: u64, job: Job, status: TaskStatus) {
        if self.busy.get(&job.subject) == Some(&id) {
            self.busy.remove(&job.subject);
        }
        for address in &job.reserves {
            self.reserved.remove(address);
        }
        let now: Timestamp = self.now();
        if let Some(task) = self.tasks.get_mut(&id) {
            task.end = Some((status, now));
        }
        match status {
            TaskStatus::Done => (job.effect)(self),
            _ => job.undo.into_iter().for_each(|undo| undo(self)),
        }
    }
}
