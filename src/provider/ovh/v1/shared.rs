//! What Exchange holds beside accounts: it is listed, so that nothing of it is lost in silence or taken for free.

use futures::{StreamExt as _, stream};

use super::{V1, view::gap};
use crate::{
    model::{Address, Gap, ObjectClass, PlatformView, SharedKind, SharedView},
    provider::ovh::{client::PARALLEL, failure::Failure, json::addresses},
};

impl V1 {
    pub(super) async fn see_shared(&self, view: &mut PlatformView) {
        for (kind, word) in [(SharedKind::Mailbox, "sharedAccount"), (SharedKind::Resource, "resourceAccount")] {
            match self.site.client.names(&self.base.join(&[word])).await {
                Ok(names) => self.see_each(kind, word, names, view).await,
                Err(e) => view.gaps.push(gap(ObjectClass::Shared, word, &e)),
            }
        }
        match self.site.client.names(&self.base.join(&["publicFolder"])).await {
            Ok(paths) => view.public_folders.extend(paths),
            Err(e) => view.gaps.push(gap(ObjectClass::PublicFolder, "", &e)),
        }
        self.see_group_aliases(view).await;
    }

    /// The other addresses of groups: mail to them would have nowhere to go once the group is made elsewhere.
    async fn see_group_aliases(&self, view: &mut PlatformView) {
        let groups: Vec<Address> = view.groups.keys().cloned().collect();
        let reads = stream::iter(groups.into_iter().map(|group| async move {
            let read = self.site.client.names(&self.base.join(&["mailingList", &group.to_string(), "alias"])).await;
            (group, read)
        }));
        let mut reads = reads.buffer_unordered(PARALLEL);
        while let Some((group, read)) = reads.next().await {
            match read {
                Ok(names) => view.shared.extend(addresses(names.iter().map(String::as_str)).into_iter().map(|alias| {
                    (alias, SharedView { kind: SharedKind::GroupAlias, aliases: std::collections::BTreeSet::new() })
                })),
                // Gone since it was listed.
                Err(e) if e.status() == Some(404) => {}
                Err(e) => view.gaps.push(gap(ObjectClass::Shared, &group, &e)),
            }
        }
    }

    async fn see_each(&self, kind: SharedKind, word: &str, names: Vec<String>, view: &mut PlatformView) {
        let reads = stream::iter(names.into_iter().map(|name| async move {
            let aliases = match kind {
                SharedKind::Mailbox => self.site.client.names(&self.base.join(&[word, &name, "alias"])).await,
                SharedKind::Resource | SharedKind::GroupAlias => Ok(Vec::new()),
            };
            (name, aliases)
        }));
        let mut reads = reads.buffer_unordered(PARALLEL);
        while let Some((name, aliases)) = reads.next().await {
            let (aliases, failed): (Vec<String>, Option<Failure>) = match aliases {
                Ok(aliases) => (aliases, None),
                Err(e) => (Vec::new(), Some(e)),
            };
            view.gaps.extend(failed.map(|e| gap(ObjectClass::Shared, &name, &e)));
            let aliases = addresses(aliases.iter().map(String::as_str));
            match Address::parse(&name) {
                Ok(address) => {
                    view.shared.insert(address, SharedView { kind, aliases });
                }
                Err(e) => view.gaps.push(Gap { class: ObjectClass::Shared, subject: name, reason: e.to_string() }),
            }
        }
    }
}
