//! Changes of a platform: the whole vocabulary of effects on a control plane.

use std::{borrow::Cow, collections::BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, ContactView, Domain, DomainType, Footer, GroupSettings, PasswordSource, Profile, Right, SlotId};

/// One change of one platform. Plain data, so that it can be shown, saved and journaled; the provider knows the calls.
///
/// Every change is *named*: whether it has been made can be read from the platform (`Provider::probe`), which is what
/// recovery rests on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Adds a domain.
    DomainAdd {
        /// The domain.
        domain: Domain,
        /// Its type, where the platform has types.
        kind: Option<DomainType>,
        /// Where unknown recipients go (non-authoritative only).
        mx_relay: Option<String>,
    },
    /// Changes type and relay of a domain.
    DomainUpdate {
        /// The domain.
        domain: Domain,
        /// Its new type.
        kind: DomainType,
        /// Its new relay.
        mx_relay: Option<String>,
    },
    /// Removes a domain that nothing uses any more.
    DomainRemove {
        /// The domain.
        domain: Domain,
    },
    /// Gives an account another address; its mail stays.
    AccountRename {
        /// The address now.
        from: Address,
        /// The address afterwards.
        to: Address,
    },
    /// Makes an account, or fills a slot, and sets its password.
    AccountCreate {
        /// The address.
        address: Address,
        /// The slot to fill, where the platform has slots.
        slot: Option<SlotId>,
        /// Its fields.
        profile: Box<Profile>,
        /// Its password.
        password: Box<PasswordSource>,
    },
    /// Changes fields of an account; only those that are `Some`.
    AccountUpdate {
        /// The address.
        address: Address,
        /// The new values.
        profile: Box<Profile>,
    },
    /// Sets the password of an account. Whoever used the old one is locked out.
    AccountPassword {
        /// The address.
        address: Address,
        /// The new password.
        password: Box<PasswordSource>,
    },
    /// Empties an account and gives its slot back, or deletes it. Its mail is lost.
    AccountReset {
        /// The address.
        address: Address,
    },
    /// Gives an account another address to receive at.
    AliasAdd {
        /// The account.
        account: Address,
        /// The other address.
        alias: Address,
    },
    /// Takes such an address away.
    AliasRemove {
        /// The account.
        account: Address,
        /// The other address.
        alias: Address,
    },
    /// Makes a redirection be exactly this.
    RedirectionSet {
        /// The address that is redirected.
        from: Address,
        /// Where its mail goes.
        to: BTreeSet<Address>,
        /// Whether a copy stays.
        keep_copy: bool,
    },
    /// Removes a redirection.
    RedirectionRemove {
        /// The address that is redirected.
        from: Address,
    },
    /// Makes a group, without members.
    GroupCreate {
        /// Its address.
        group: Address,
        /// Its fields.
        settings: Box<GroupSettings>,
    },
    /// Changes fields of a group; only those that are `Some`.
    GroupUpdate {
        /// Its address.
        group: Address,
        /// The new values.
        settings: Box<GroupSettings>,
    },
    /// Removes a group.
    GroupRemove {
        /// Its address.
        group: Address,
    },
    /// Adds a member.
    GroupMemberAdd {
        /// The group.
        group: Address,
        /// The account or contact.
        member: Address,
    },
    /// Removes a member.
    GroupMemberRemove {
        /// The group.
        group: Address,
        /// The account or contact.
        member: Address,
    },
    /// Adds a manager.
    GroupManagerAdd {
        /// The group.
        group: Address,
        /// The account.
        manager: Address,
    },
    /// Removes a manager.
    GroupManagerRemove {
        /// The group.
        group: Address,
        /// The account.
        manager: Address,
    },
    /// Gives one account a right on another.
    DelegationGrant {
        /// The account the right is on.
        account: Address,
        /// Who gets it.
        to: Address,
        /// The right.
        right: Right,
    },
    /// Takes such a right away.
    DelegationRevoke {
        /// The account the right is on.
        account: Address,
        /// Who loses it.
        to: Address,
        /// The right.
        right: Right,
    },
    /// Adds an external contact.
    ContactAdd {
        /// Its address.
        contact: Address,
        /// Its fields.
        fields: Box<ContactView>,
    },
    /// Changes fields of an external contact; only those that are `Some`.
    ContactUpdate {
        /// Its address.
        contact: Address,
        /// The new values.
        fields: Box<ContactView>,
    },
    /// Removes an external contact.
    ContactRemove {
        /// Its address.
        contact: Address,
    },
    /// Makes the footer of a domain be exactly this.
    FooterSet {
        /// The domain.
        domain: Domain,
        /// The footer.
        footer: Footer,
    },
    /// Removes the footer of a domain.
    FooterRemove {
        /// The domain.
        domain: Domain,
    },
}

impl Change {
    /// The kind, as it stands in action ids: `account.rename`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::DomainAdd { .. } => "domain.add",
            Self::DomainUpdate { .. } => "domain.update",
            Self::DomainRemove { .. } => "domain.remove",
            Self::AccountRename { .. } => "account.rename",
            Self::AccountCreate { .. } => "account.create",
            Self::AccountUpdate { .. } => "account.update",
            Self::AccountPassword { .. } => "account.password",
            Self::AccountReset { .. } => "account.reset",
            Self::AliasAdd { .. } => "alias.add",
            Self::AliasRemove { .. } => "alias.remove",
            Self::RedirectionSet { .. } => "redirection.set",
            Self::RedirectionRemove { .. } => "redirection.remove",
            Self::GroupCreate { .. } => "group.create",
            Self::GroupUpdate { .. } => "group.update",
            Self::GroupRemove { .. } => "group.remove",
            Self::GroupMemberAdd { .. } => "group.member.add",
            Self::GroupMemberRemove { .. } => "group.member.remove",
            Self::GroupManagerAdd { .. } => "group.manager.add",
            Self::GroupManagerRemove { .. } => "group.manager.remove",
            Self::DelegationGrant { .. } => "delegation.grant",
            Self::DelegationRevoke { .. } => "delegation.revoke",
            Self::ContactAdd { .. } => "contact.add",
            Self::ContactUpdate { .. } => "contact.update",
            Self::ContactRemove { .. } => "contact.remove",
            Self::FooterSet { .. } => "footer.set",
            Self::FooterRemove { .. } => "footer.remove",
        }
    }

    /// The object that changes, as it stands in action ids: `john.smith@mydomain.ovh`.
    #[must_use]
    pub fn subject(&self) -> Cow<'_, str> {
        match self {
            Self::DomainAdd { domain, .. }
            | Self::DomainUpdate { domain, .. }
            | Self::DomainRemove { domain }
            | Self::FooterSet { domain, .. }
            | Self::FooterRemove { domain } => domain.as_str().into(),
            Self::AccountRename { from, .. } => from.identity().as_str().into(),
            Self::AccountCreate { address, .. }
            | Self::AccountUpdate { address, .. }
            | Self::AccountPassword { address, .. }
            | Self::AccountReset { address } => address.identity().as_str().into(),
            Self::AliasAdd { alias, .. } | Self::AliasRemove { alias, .. } => alias.identity().as_str().into(),
            Self::RedirectionSet { from, .. } | Self::RedirectionRemove { from } => from.identity().as_str().into(),
            Self::GroupCreate { group, .. } | Self::GroupUpdate { group, .. } | Self::GroupRemove { group } => {
                group.identity().as_str().into()
            }
            Self::GroupMemberAdd { group, member } | Self::GroupMemberRemove { group, member } => {
                format!("{}/{}", group.identity(), member.identity()).into()
            }
            Self::GroupManagerAdd { group, manager } | Self::GroupManagerRemove { group, manager } => {
                format!("{}/{}", group.identity(), manager.identity()).into()
            }
            Self::DelegationGrant { account, to, right } | Self::DelegationRevoke { account, to, right } => {
                format!("{}/{}/{}", account.identity(), to.identity(), right.word()).into()
            }
            Self::ContactAdd { contact, .. }
            | Self::ContactUpdate { contact, .. }
            | Self::ContactRemove { contact } => contact.identity().as_str().into(),
        }
    }

    /// The password this change sets, if it sets one.
    #[must_use]
    pub fn password(&self) -> Option<&PasswordSource> {
        match self {
            Self::AccountCreate { password, .. } | Self::AccountPassword { password, .. } => Some(password),
            _ => None,
        }
    }
}
