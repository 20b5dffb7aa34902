//! The side of a person: finds a live run of a workspace and talks to it.

use std::{io, path::Path, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
};

use super::{LONGEST_LINE, Request, path};
use crate::{cli::failure::Failure, diag::Exit};

/// How long a run may take to answer: it answers between two steps of its own.
const PATIENCE: Duration = Duration::from_secs(10);

/// A line of a stream of events.
pub(in crate::cli) enum Line {
    /// What stood in it.
    Text(String),
    /// The run has ended, or died.
    End,
}

/// A connection to a live run.
pub(in crate::cli) struct Live {
    stream: BufReader<UnixStream>,
}

impl Live {
    /// Finds the run of a workspace. `None` when none is live on this host: there is no socket, or nobody answers at it.
    pub(in crate::cli) async fn find(workspace: &Path) -> Option<Self> {
        let stream = UnixStream::connect(path(workspace)).await.ok()?;
        Some(Self { stream: BufReader::new(stream) })
    }

    /// Asks something.
    ///
    /// # Errors
    /// When the run ends before it answers, or refuses.
    pub(in crate::cli) async fn ask(&mut self, request: &Request) -> Result<Value, Failure> {
        let gone = |e: &dyn std::error::Error| {
            Failure::caused(Exit::Failed, "the live run does not answer", e)
                .help("it may just have ended: `rehome status`")
        };
        let mut line = serde_json::to_vec(request).map_err(|e| gone(&e))?;
        line.push(b'\n');
        let exchange = async {
            self.stream.get_mut().write_all(&line).await?;
            self.text().await?.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
        };
        let text = match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(text) => text.map_err(|e| gone(&e))?,
            Err(late) => return Err(gone(&late)),
        };
        let answer: Value = serde_json::from_str(&text).map_err(|e| gone(&e))?;
        if answer.get("ok") == Some(&Value::Bool(true)) {
            return Ok(answer);
        }
        let words = answer.get("error").and_then(Value::as_str).unwrap_or("it gives no reason");
        Err(Failure::new(Exit::Failed, format!("the live run refuses: {words}"))
            .help("is it of another version of rehome?"))
    }

    /// The next line of a stream. A run that dies ends it like one that ends.
    pub(in crate::cli) async fn next(&mut self) -> Line {
        match self.text().await {
            Ok(Some(text)) => Line::Text(text),
            Ok(None) | Err(_) => Line::End,
        }
    }

    async fn text(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        // An event with every blocked action of a large plan is long, but not without end.
        (&mut self.stream).take(64 * LONGEST_LINE as u64).read_until(b'\n', &mut line).await?;
        let complete = line.pop() == Some(b'\n');
        Ok(complete.then(|| String::from_utf8_lossy(&line).into_owned()))
    }
}
