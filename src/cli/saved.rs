//! Files that are written as a whole or not at all: a full disk leaves neither half a plan nor the loss of the last one.

use std::{
    fs::{self, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// What a new file may be, before the mask of the process takes its part.
const USUAL: u32 = 0o666;

/// Writes a file, in place of one that is there: whoever reads it meanwhile sees the old one or the new one.
///
/// # Errors
/// Those of the file system. What was there stays.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            beside(path, Permissions::from_mode(USUAL), bytes)?.persist(path)?;
        }
        Err(error) => return Err(error),
        Ok(found) if found.is_file() => {
            // Behind a link the file is replaced, and not the link.
            let path = fs::canonicalize(path)?;
            let file = beside(&path, found.permissions(), bytes)?;
            fs::set_permissions(file.path(), found.permissions())?;
            file.persist(path)?;
        }
        // A pipe or a device holds nothing that could be lost.
        Ok(_) => fs::File::options().write(true).open(path)?.write_all(bytes)?,
    }
    Ok(())
}

/// Writes a file that is not there yet.
///
/// # Errors
/// Those of the file system; [`io::ErrorKind::AlreadyExists`] when it is there. No part of it stays.
pub(super) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there already"));
    }
    beside(path, Permissions::from_mode(USUAL), bytes)?.persist_noclobber(path)?;
    Ok(())
}

/// The whole content under another name in the same folder.
fn beside(path: &Path, permissions: Permissions, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned);
    let mut file = tempfile::Builder::new().prefix(".rehome-").permissions(permissions).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_with_its_mode_and_behind_its_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("plan.json"), folder.path().join("latest.json"));
        replace(&file, b"one").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("plan.json", &link).unwrap();
        replace(&link, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(replace(folder.path(), b"three").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left behind");
    }

    #[test]
    fn what_is_there_is_not_created_again_and_a_new_file_is_as_open_as_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("a.yaml"), folder.path().join("plain"));
        create(&ours, b"one").unwrap();
        fs::write(&plain, b"one").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
        assert_eq!(create(&ours, b"two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&ours).unwrap(), b"one");
    }
}
