//! The accounts' side: what the emulated platform does to mailboxes.

use std::io;

use async_trait::async_trait;

use super::{MemoryStore, world::World};
use crate::{
    model::{Address, ImapEndpoint, ImapSecurity},
    sandbox::{corpus::FolderMail, store::MailStore},
};

#[async_trait]
impl MailStore for MemoryStore {
    /// Port 0 for a service that was not started.
    fn endpoint(&self, service: &str) -> ImapEndpoint {
        let port = self.addresses.get(service).map_or(0, std::net::SocketAddr::port);
        ImapEndpoint { host: "127.0.0.1".to_owned(), port, security: ImapSecurity::Plain }
    }

    async fn create(&self, service: &str, login: &Address, password: &str) -> io::Result<()> {
        let mut world = self.shared.lock();
        free(&world, service, login)?;
        let (id, mailbox) = world.fresh_mailbox(service, password);
        let service = world.services.get_mut(service).ok_or_else(|| no_service(service))?;
        service.logins.insert(login.key(), id);
        service.mailboxes.insert(id, mailbox);
        Ok(())
    }

    async fn rename(&self, service: &str, from: &Address, to: &Address) -> io::Result<()> {
        let mut world = self.shared.lock();
        let id = find(&world, service, from)?;
        if from != to {
            free(&world, service, to)?;
        }
        let service = world.services.get_mut(service).ok_or_else(|| no_service(service))?;
        service.logins.remove(&from.key());
        service.logins.insert(to.key(), id);
        if let Some(mailbox) = service.mailboxes.get_mut(&id) {
            mailbox.epoch += 1;
        }
        Ok(())
    }

    async fn set_password(&self, service: &str, login: &Address, password: &str) -> io::Result<()> {
        let mut world = self.shared.lock();
        let id = find(&world, service, login)?;
        let mailbox = world.mailbox(service, id).ok_or_else(|| no_login(login))?;
        password.clone_into(&mut mailbox.password);
        Ok(())
    }

    async fn set_imap(&self, service: &str, login: &Address, enabled: bool) -> io::Result<()> {
        let mut world = self.shared.lock();
        let id = find(&world, service, login)?;
        world.mailbox(service, id).ok_or_else(|| no_login(login))?.imap = enabled;
        Ok(())
    }

    async fn remove(&self, service: &str, login: &Address) -> io::Result<()> {
        let mut world = self.shared.lock();
        let id = find(&world, service, login)?;
        let service = world.services.get_mut(service).ok_or_else(|| no_service(service))?;
        service.logins.remove(&login.key());
        service.mailboxes.remove(&id);
        Ok(())
    }

    async fn usage(&self, service: &str, login: &Address) -> io::Result<u64> {
        let mut world = self.shared.lock();
        let id = find(&world, service, login)?;
        Ok(world.mailbox(service, id).ok_or_else(|| no_login(login))?.octets())
    }
}

/// The mailbox that a login opens.
pub(super) fn find(world: &World, service: &str, login: &Address) -> io::Result<u64> {
    let service = world.services.get(service).ok_or_else(|| no_service(service))?;
    service.logins.get(&login.key()).copied().ok_or_else(|| no_login(login))
}

fn free(world: &World, service: &str, login: &Address) -> io::Result<()> {
    let service = world.services.get(service).ok_or_else(|| no_service(service))?;
    if service.logins.contains_key(&login.key()) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("there is already a mailbox `{login}`")));
    }
    Ok(())
}

fn no_service(service: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("the sandbox has no service `{service}`"))
}

pub(super) fn no_login(login: &Address) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no mailbox `{login}`"))
}

/// The full name of the folder that takes the mail of `folder`; it is made when it is missing and can hold messages.
pub(super) fn folder_for(world: &mut World, service: &str, id: u64, folder: &FolderMail) -> io::Result<String> {
    let behaviour = world.services.get(service).map(|s| s.behaviour.clone()).unwrap_or_default();
    let fresh = world.fresh_folder(folder.special_use);
    let mailbox = world.mailbox(service, id).ok_or_else(|| no_service(service))?;
    let own =
        |(_, f): &(&String, &super::world::Folder)| folder.special_use.is_some() && f.special_use == folder.special_use;
    if let Some((name, _)) = mailbox.folders.iter().find(own) {
        return Ok(name.clone());
    }
    if folder.path.is_inbox() {
        return Ok("INBOX".to_owned());
    }
    let name = format!("{}{}", behaviour.prefix, folder.path.0.join(&behaviour.delimiter.to_string()));
    if folder.selectable {
        mailbox.folders.entry(name.clone()).or_insert(fresh);
    }
    Ok(name)
}
