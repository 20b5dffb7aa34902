//! A browser without a screen, for pages that people open.

use std::{
    path::Path,
    process::{Command, Stdio},
};

/// Chromium, with a folder for its profile.
pub struct Browser<'a> {
    program: &'static str,
    folder: &'a Path,
}

impl<'a> Browser<'a> {
    /// `None`, and said so, where there is none; a failure where there must be one.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub fn find(folder: &'a Path) -> Option<Self> {
        let program = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
            Command::new(name).arg("--version").stdin(Stdio::null()).output().is_ok_and(|o| o.status.success())
        });
        if program.is_none() {
            assert!(std::env::var_os("REHOME_REQUIRE_SERVERS").is_none(), "chromium is not installed");
            eprintln!("SKIPPED: chromium is not installed");
        }
        program.map(|program| Self { program, folder })
    }

    /// Opens a file and gives what the browser prints.
    pub fn open(&self, what: &[&str], page: &Path, part: &str) -> String {
        let out = Command::new(self.program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,1400"])
            .arg(format!("--user-data-dir={}", self.folder.join("profile").display()))
            .args(what)
            .arg(format!("file://{}{part}", page.display()))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }
}
