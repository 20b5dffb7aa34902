//! The program as a child process.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

/// How the program ended and what it wrote.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The exit code; `None` when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Stops the test unless it ended with that code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// The program with its surroundings: nothing of the test's own environment reaches it but the way to other programs.
#[derive(Clone, Debug)]
pub struct Binary {
    folder: PathBuf,
    outputs: PathBuf,
    variables: BTreeMap<String, String>,
}

/// A child and the files that it writes to: a pipe would hold whatever it starts.
#[derive(Debug)]
pub struct Running {
    pub child: Child,
    pub out: PathBuf,
    pub err: PathBuf,
}

impl Running {
    pub fn wait(mut self) -> Ended {
        let status = self.child.wait().unwrap();
        self.ended(status)
    }

    /// What it wrote until its end.
    pub fn ended(&self, status: ExitStatus) -> Ended {
        let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        Ended { status, stdout: read(&self.out), stderr: read(&self.err) }
    }
}

impl Binary {
    /// `folder` is where it runs, and takes what it writes to stdout and stderr.
    pub fn new(folder: &Path, variables: BTreeMap<String, String>) -> Self {
        Self { folder: folder.to_owned(), outputs: folder.to_owned(), variables }
    }

    /// The same with a folder of its own for what it writes to stdout and stderr.
    pub fn writing_to(self, outputs: PathBuf) -> Self {
        Self { outputs, ..self }
    }

    /// The same with one more variable.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut more = self.clone();
        more.variables.insert(name.to_owned(), value.to_owned());
        more
    }

    pub fn start(&self, name: &str, args: &[&str]) -> io::Result<Running> {
        let (out, err) = (self.outputs.join(format!("{name}.out")), self.outputs.join(format!("{name}.err")));
        let path = std::env::var_os("PATH").unwrap_or_default();
        // A long run of tests goes on with the binary it began with, whatever is built meanwhile.
        let binary = program();
        let child = Command::new(binary)
            .args(args)
            .env_clear()
            .env("PATH", path)
            .envs(&self.variables)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?)
            .spawn()?;
        Ok(Running { child, out, err })
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        self.start(args[0], args).unwrap().wait()
    }
}

/// The program under test: `REHOME_BINARY`, or the one that was built with the tests.
pub fn program() -> std::ffi::OsString {
    std::env::var_os("REHOME_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_rehome").into())
}
