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
    }

    async fn see_each(&self, kind: SharedKind, word: &str, names: Vec<String>, view: &mut PlatformView) {
        let reads = stream::iter(names.into_iter().map(|name| async move {
            let aliases = match kind {
                SharedKind::Mailbox => self.site.client.names(&self.base.join(&[word, &name, "alias"])).await,
                SharedKind::Resource => Ok(Vec::new()),
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
