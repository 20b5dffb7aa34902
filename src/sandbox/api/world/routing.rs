//! The routing that all platforms share: one address has one holder, and one domain at most one authority.

use crate::model::{Address, Domain};

use super::World;

impl World {
    /// What holds an address: an account, alias, group or shared object of any service, or a task that will give it to one.
    ///
    /// Redirections are not holders: an account and a redirection of one address go together (API reference 2.3).
    #[must_use]
    pub fn holder(&self, address: &Address) -> Option<String> {
        if self.reserved.contains(address) {
            return Some("a running task".to_owned());
        }
        for service in self.hosted.values() {
            let account = service.accounts.values().any(|a| a.address == *address || a.aliases.contains(address));
            if account || service.group(address).is_some() || service.shares(address) {
                return Some(service.name.clone());
            }
        }
        for legacy in self.legacy.values().filter(|l| l.domain == *address.domain()) {
            let local = address.local().to_ascii_lowercase();
            if legacy.accounts.contains_key(&local) || legacy.lists.contains_key(&local) {
                return Some(legacy.domain.to_string());
            }
        }
        for platform in self.zimbra.values() {
            let account = platform.accounts.values().any(|a| a.current.address == *address);
            if account || platform.aliases.values().any(|a| a.current.address == *address) {
                return Some(platform.id.clone());
            }
        }
        None
    }

    /// The service, other than `except`, that claims to be the only one of a domain.
    #[must_use]
    pub fn authority(&self, domain: &Domain, except: &str) -> Option<&str> {
        let claims = |d: &super::HostedDomain| d.authoritative;
        self.hosted
            .values()
            .find(|s| s.name != except && s.domains.get(domain).is_some_and(claims))
            .map(|s| s.name.as_str())
    }

    /// The service, other than `except`, that has a domain at all.
    #[must_use]
    pub fn sharer(&self, domain: &Domain, except: &str) -> Option<String> {
        let hosted = self.hosted.values().find(|s| s.name != except && s.domains.contains_key(domain));
        let legacy = self.legacy.get(domain).filter(|l| l.migrated.is_none() && l.domain.as_str() != except);
        let zimbra =
            self.zimbra.values().find(|p| p.id != except && p.domains.values().any(|d| d.current.name == *domain));
        hosted
            .map(|s| s.name.clone())
            .or_else(|| legacy.map(|l| l.domain.to_string()))
            .or_else(|| zimbra.map(|p| p.id.clone()))
    }
}

/// Mailboxes, as the mail side knows them.
impl World {
    /// Every mailbox: service and login.
    #[must_use]
    pub fn mailboxes(&self) -> Vec<(String, Address)> {
        let hosted = self
            .hosted
            .values()
            .flat_map(|s| s.accounts.values().filter(|a| a.configured).map(|a| (s.name.clone(), a.address.clone())));
        let legacy = self.legacy.values().flat_map(|l| {
            let login = |name: &String| Address::new(name, l.domain.clone()).ok();
            l.accounts.keys().filter_map(login).map(|a| (l.domain.to_string(), a))
        });
        let zimbra =
            self.zimbra.values().flat_map(|p| p.accounts.values().map(|a| (p.id.clone(), a.current.address.clone())));
        hosted.chain(legacy).chain(zimbra).collect()
    }

    /// The services that have a mailbox of that address.
    #[must_use]
    pub fn services_of(&self, login: &Address) -> Vec<String> {
        let hosted = self.hosted.values().filter(|s| s.account(login).is_some_and(|a| a.configured));
        let local = login.local().to_ascii_lowercase();
        let legacy = self.legacy.get(login.domain()).filter(|l| l.accounts.contains_key(&local));
        let zimbra = self.zimbra.values().filter(|p| p.accounts.values().any(|a| a.current.address == *login));
        let names = hosted.map(|s| s.name.clone()).chain(legacy.map(|l| l.domain.to_string()));
        names.chain(zimbra.map(|p| p.id.clone())).collect()
    }

    /// The mailboxes whose size an answer shows: that of an address in the path, that of `.../account/{name}/usage`,
    /// and those of a Zimbra platform whose accounts are read.
    #[must_use]
    pub fn mailboxes_shown(&self, path: &[String]) -> Vec<(String, Address)> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let login = match path.as_slice() {
            ["zimbra", "platform", id, "account", ..] => {
                let accounts = self.zimbra.get(*id).into_iter().flat_map(|p| p.accounts.values());
                return accounts.map(|a| ((*id).to_owned(), a.current.address.clone())).collect();
            }
            ["email", "domain", domain, "account", name, "usage"] => Address::parse(&format!("{name}@{domain}")).ok(),
            path => path.iter().rev().find_map(|segment| Address::parse(segment).ok()),
        };
        let Some(login) = login else { return Vec::new() };
        self.services_of(&login).into_iter().map(|service| (service, login.clone())).collect()
    }

    /// Notes how full a mailbox is.
    pub fn set_octets(&mut self, service: &str, login: &Address, octets: u64) {
        if let Some(service) = self.hosted.get_mut(service)
            && let Some(account) = service.accounts.values_mut().find(|a| a.address == *login)
        {
            account.octets = octets;
        }
        if let Some(legacy) = self.legacy.get_mut(login.domain())
            && legacy.domain.as_str() == service
            && let Some(account) = legacy.accounts.get_mut(&login.local().to_ascii_lowercase())
        {
            account.octets = octets;
        }
        if let Some(platform) = self.zimbra.get_mut(service)
            && let Some(account) = platform.accounts.values_mut().find(|a| a.current.address == *login)
        {
            account.current.octets = octets;
        }
    }
}
