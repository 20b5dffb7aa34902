//! Programs that hold secrets: started without a shell, with a time limit, their words on the terminal.

use std::{
    io::{self, Read as _, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use super::{SecretError, resolve::MAX_SECRET};
use crate::model::Secret;

/// The longest that a program may take: long enough for somebody to touch a security key.
const PATIENCE: Duration = Duration::from_secs(60);

/// What becomes of what a program says on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// It goes to the terminal, so that the program can say itself what is wrong.
    Shown,
    /// It is dropped: the program is only asked whether it has something.
    Dropped,
}

/// Runs a program in a folder and gives back its standard output. Standard input is `input`, or nothing.
pub(super) fn run(
    argv: &[String],
    base: &Path,
    input: Option<&Secret>,
    words: Words,
) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    run_within(argv, base, input, words, PATIENCE)
}

fn run_within(
    argv: &[String],
    base: &Path,
    input: Option<&Secret>,
    words: Words,
    patience: Duration,
) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let (name, arguments) = argv.split_first().map_or(("", &[][..]), |(name, rest)| (name.as_str(), rest));
    let program = || name.to_owned();
    let mut command = Command::new(name);
    command.args(arguments).stdout(Stdio::piped());
    command.stderr(if words == Words::Shown { Stdio::inherit() } else { Stdio::null() });
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    if !base.as_os_str().is_empty() {
        command.current_dir(base);
    }
    let mut child = command.spawn().map_err(|source| SecretError::CommandStart { program: program(), source })?;
    let deadline = Instant::now() + patience;
    let written = child.stdin.take().zip(input).map(|(mut stdin, secret)| {
        let secret = Zeroizing::new(secret.expose().to_owned());
        thread::spawn(move || stdin.write_all(secret.as_bytes()))
    });
    let (send, receive) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            let mut bytes = Zeroizing::new(Vec::new());
            let read = stdout.take(MAX_SECRET + 1).read_to_end(&mut bytes).map(|_| bytes);
            // The receiver is gone when time ran out.
            let _ = send.send(read);
        });
    }
    let output = match receive.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(read) => read,
        Err(_) => return Err(stop(&mut child, name, patience)),
    };
    let broken = |source| SecretError::CommandPipe { program: program(), source };
    let status = match wait(&mut child, deadline).map_err(broken)? {
        Some(status) => status,
        None => return Err(stop(&mut child, name, patience)),
    };
    if !status.success() {
        return Err(SecretError::CommandFailed { program: program(), status: status.to_string() });
    }
    // A program that ends well without reading its input did not want it: that is for the reader to find out.
    if let Some(Ok(Err(source))) = written.map(thread::JoinHandle::join)
        && source.kind() != io::ErrorKind::BrokenPipe
    {
        return Err(broken(source));
    }
    let bytes = output.map_err(broken)?;
    if bytes.len() as u64 > MAX_SECRET {
        return Err(SecretError::NotText(format!("the output of the command `{name}` is too long and")));
    }
    Ok(bytes)
}

/// Waits for the end of a program that has closed its output.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<std::process::ExitStatus>> {
    let (_keep, never) = mpsc::channel::<()>();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        // A pause that is not `thread::sleep`: nobody ever sends.
        let _ = never.recv_timeout(Duration::from_millis(5));
    }
}

fn stop(child: &mut Child, name: &str, patience: Duration) -> SecretError {
    // It may have ended by itself in the meantime; either way it is gone.
    let _ = child.kill();
    let _ = child.wait();
    SecretError::CommandTimeout { program: name.to_owned(), seconds: patience.as_secs() }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn a_program_that_does_not_end_is_stopped() {
        let hangs =
            run_within(&argv(&["sleep", "1000"]), Path::new(""), None, Words::Dropped, Duration::from_millis(50));
        assert!(matches!(hangs, Err(SecretError::CommandTimeout { .. })));
        let closes = run_within(
            &argv(&["sh", "-c", "exec >&-; sleep 1000"]),
            Path::new(""),
            None,
            Words::Dropped,
            Duration::from_millis(50),
        );
        assert!(matches!(closes, Err(SecretError::CommandTimeout { .. })));
    }

    #[test]
    fn input_is_given_and_output_taken() {
        let secret = Secret::new("over the pipe".to_owned());
        let output = run(&argv(&["cat"]), Path::new(""), Some(&secret), Words::Dropped).unwrap();
        assert_eq!(output.as_slice(), b"over the pipe");
    }

    #[test]
    fn a_program_that_reads_nothing_does_not_hang() {
        let secret = Secret::new("x".repeat(60_000));
        assert!(run(&argv(&["true"]), Path::new(""), Some(&secret), Words::Dropped).is_ok());
    }
}
