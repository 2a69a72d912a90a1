//! The data folder: where each thing lies, and that nobody else can read it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::StoreError;

/// The folder that holds everything one Postroom keeps. Folders have mode 0700, files 0600.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// The data folder at `root`; nothing is created yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// `$XDG_DATA_HOME/postroom`, else `~/.local/share/postroom` (XDG Base Directory Specification
    /// 0.8: a relative `$XDG_DATA_HOME` is ignored). `None` when the user has no home folder.
    pub fn default_path() -> Option<PathBuf> {
        let given = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
        place(given, std::env::home_dir())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The SQLite database.
    pub fn database(&self) -> PathBuf {
        self.root.join("postroom.db")
    }

    /// The file whose lock says that a server runs here.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The users' Maildirs.
    pub fn mail(&self) -> PathBuf {
        self.root.join("mail")
    }

    /// Messages on their way.
    pub fn spool(&self) -> PathBuf {
        self.root.join("spool")
    }

    /// Certificates and their keys.
    pub fn tls(&self) -> PathBuf {
        self.root.join("tls")
    }

    /// Makes the folders that are missing and takes others' access away from those that are ours.
    ///
    /// A root folder that already holds foreign files (somebody pointed at `/srv`) keeps its mode;
    /// everything of ours inside it is closed all the same.
    ///
    /// # Errors
    /// [`StoreError::Permission`], [`StoreError::Full`] or [`StoreError::Io`] naming the folder.
    pub fn create(&self) -> Result<(), StoreError> {
        let ours = !self.root.exists() || self.database().exists() || is_empty(&self.root);
        make_folder(&self.root)?;
        if ours {
            close_to_others(&self.root, 0o700)?;
        }
        for folder in [self.mail(), self.tls()] {
            make_folder(&folder)?;
            close_to_others(&folder, 0o700)?;
        }
        // Whoever asks how a running server is must not put an empty spool in the place of one that somebody took away.
        if !self.database().exists() {
            self.create_spool()?;
        }
        self.close_files()
    }

    /// Makes the spool folder if it is missing, which is for the server that writes it.
    pub(crate) fn create_spool(&self) -> Result<(), StoreError> {
        make_folder(&self.spool())?;
        close_to_others(&self.spool(), 0o700)
    }

    /// Takes others' access away from the database files and the lock, as far as they exist.
    pub(crate) fn close_files(&self) -> Result<(), StoreError> {
        let database = self.database();
        for file in [
            sibling(&database, "-wal"),
            sibling(&database, "-shm"),
            self.lock(),
            database,
        ] {
            if file.exists() {
                close_to_others(&file, 0o600)?;
            }
        }
        Ok(())
    }
}

fn place(given: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    given
        .filter(|path| path.is_absolute())
        .or_else(|| {
            home.filter(|path| path.is_absolute())
                .map(|home| home.join(".local/share"))
        })
        .map(|base| base.join("postroom"))
}

/// `path` with `suffix` behind its name, the way SQLite names the files beside a database.
pub(crate) fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Makes a folder that only its owner can read, if it is missing.
pub(crate) fn make_folder(folder: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|error| StoreError::from_io(folder, &error))
}

/// Sets `mode` unless group and others are shut out already.
#[cfg(unix)]
fn close_to_others(path: &Path, mode: u32) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    let close = || -> io::Result<()> {
        if fs::metadata(path)?.permissions().mode() & 0o077 == 0 {
            return Ok(());
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    };
    match close() {
        // SQLite removes its side files when the last program closes the database.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|error| StoreError::from_io(path, &error)),
    }
}

/// Elsewhere the user's profile folder is closed by the system.
#[cfg(not(unix))]
fn close_to_others(_path: &Path, _mode: u32) -> Result<(), StoreError> {
    Ok(())
}

/// Creates or opens a file that only its owner can read.
pub(crate) fn private_file(options: &mut fs::OpenOptions, path: &Path) -> io::Result<fs::File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_follows_xdg_and_ignores_a_relative_value() {
        let home = || Some(PathBuf::from("/home/ann"));
        assert_eq!(
            place(Some("/data".into()), home()),
            Some(PathBuf::from("/data/postroom"))
        );
        assert_eq!(
            place(Some("data".into()), home()),
            Some(PathBuf::from("/home/ann/.local/share/postroom"))
        );
        assert_eq!(
            place(None, home()),
            Some(PathBuf::from("/home/ann/.local/share/postroom"))
        );
        assert_eq!(place(None, None), None);
    }

    #[cfg(unix)]
    mod modes {
        use super::*;
        use std::os::unix::fs::PermissionsExt;

        fn mode(path: &Path) -> u32 {
            fs::metadata(path).unwrap().permissions().mode() & 0o777
        }

        fn set(path: &Path, mode: u32) {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }

        #[test]
        fn new_folders_are_closed_to_others() {
            let folder = tempfile::tempdir().unwrap();
            let data = DataDir::new(folder.path().join("deep/er"));
            data.create().unwrap();
            for path in [
                data.root().to_path_buf(),
                data.mail(),
                data.spool(),
                data.tls(),
            ] {
                assert_eq!(mode(&path), 0o700, "{}", path.display());
            }
        }

        #[test]
        fn a_folder_left_open_is_closed_at_the_next_start() {
            let folder = tempfile::tempdir().unwrap();
            let data = DataDir::new(folder.path().join("data"));
            data.create().unwrap();
            fs::write(data.database(), "x").unwrap();
            fs::write(data.lock(), "x").unwrap();
            for path in [data.root(), &data.mail(), &data.database(), &data.lock()] {
                set(path, 0o755);
            }
            data.create().unwrap();
            assert_eq!(mode(data.root()), 0o700);
            assert_eq!(mode(&data.mail()), 0o700);
            assert_eq!(mode(&data.database()), 0o600);
            assert_eq!(mode(&data.lock()), 0o600);
        }

        #[test]
        fn a_folder_that_belongs_to_others_keeps_its_mode_but_ours_inside_is_closed() {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("theirs"), "x").unwrap();
            set(folder.path(), 0o755);
            let data = DataDir::new(folder.path());
            data.create().unwrap();
            assert_eq!(mode(folder.path()), 0o755);
            assert_eq!(mode(&data.mail()), 0o700);
        }

        #[test]
        fn a_spool_that_somebody_took_away_is_made_again_by_the_server_alone() {
            let folder = tempfile::tempdir().unwrap();
            let data = DataDir::new(folder.path().join("data"));
            data.create().unwrap();
            fs::write(data.database(), "x").unwrap();
            fs::remove_dir(data.spool()).unwrap();
            data.create().unwrap();
            assert!(!data.spool().exists());
            data.create_spool().unwrap();
            assert_eq!(mode(&data.spool()), 0o700);
        }

        #[test]
        fn a_file_in_the_place_of_the_folder_is_an_error_that_names_it() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("data");
            fs::write(&path, "x").unwrap();
            let error = DataDir::new(&path).create().unwrap_err();
            assert!(
                error.to_string().contains(&path.display().to_string()),
                "{error}"
            );
        }
    }
}
