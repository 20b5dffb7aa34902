//! F3: spec, providers, mailboxes and DNS to an inventory; concurrent, partial failure is data.
