//! F1: the IMAP client: connect, authenticate, list, select, fetch, append, store; quirks by server.
//!
//! # What holds
//!
//! - Success is the tagged OK of the very command and nothing else. An end of the stream or a goodbye before it is an
//!   error, and so is an answer that cannot be read: a message is never taken for absent because its answer was odd.
//! - A connection whose state is in doubt takes no more commands: after a failure, and after a future was dropped in the
//!   middle of a command.
//! - Reading and writing go on at the same time, so that a server that talks while it is written to blocks nobody.
//! - Memory is bounded: lines, literals and lists have limits, and large bodies go to files without names.
//! - [`Reader`] has no method that changes anything on a server; [`Writer`] has.
//! - Passwords are in no error, log or debug output.
//!
//! # Layers
//!
//! | files | what |
//! |---|---|
//! | `frame`, `token`, `response`, `code` | octets to responses, without input or output |
//! | `name`, `date`, `uid`, `capability` | the small languages inside responses |
//! | `output`, `conn`, `compress` | one connection: commands out, responses in, compressed where it pays |
//! | `tls`, `sasl`, `login`, `connector`, `parking` | from an endpoint to a connection that is logged in |
//! | `reader`, `list`, `fetch`, `survey`, `quota`, `acl` | looking |
//! | `writer`, `append`, `moving` | changing |
//! | `quirks`, `hint` | what is learned about a server, and what its words ask for |

mod acl;
mod append;
mod body;
mod capability;
mod code;
mod compress;
mod conn;
mod connector;
mod date;
mod error;
mod fetch;
mod flight;
mod frame;
#[doc(hidden)]
pub mod fuzz;
mod hint;
mod list;
mod login;
mod moving;
mod name;
#[cfg(test)]
mod oracle;
mod output;
mod parking;
mod quirks;
mod quota;
mod reader;
mod response;
mod sasl;
mod survey;
mod tls;
mod token;
mod uid;
mod writer;

pub use acl::Granted;
pub use append::{AppendMessage, AppendMode, AppendOutcome, AppendReport, Appended, Refusal, RefusalKind};
pub use body::{Body, BodyReader, SPILL_ABOVE};
pub use capability::Capabilities;
pub use code::{Code, CopyUid};
pub use compress::Compression;
pub use connector::{Connector, Timeouts};
pub use date::InternalDate;
pub use error::{ImapError, ImapErrorKind, TlsProblem};
pub use fetch::{Bodies, Fetched, FetchedMessage, MessageMeta};
pub use hint::Hint;
pub use list::{ListDetail, Listed, Namespace};
pub use login::{Credential, Login};
pub use moving::Moved;
pub use name::WireName;
pub use parking::Parking;
pub use quirks::{Quirk, Quirks};
pub use quota::Quota;
pub use reader::{Earlier, Reader, Selected};
pub use sasl::TokenSource;
pub use survey::{Known, Survey};
pub use tls::TlsRoots;
pub use uid::UidRange;
pub use writer::{Created, FolderCommand, StoreMode, Writer};
