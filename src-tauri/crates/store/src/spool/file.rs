//! Content in a file of its own: written while it arrives, and sealed, so that what is sent later is what came.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::StoreError;
use crate::data_dir::{private_file, sibling};

/// Octets read at once to check a file.
const CHECKED: usize = 256 << 10;

/// How the tables and the log name a content file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct FileMark {
    pub name: String,
    /// CRC-32 of what is in it.
    pub seal: u32,
}

/// A content file that is complete.
#[derive(Debug)]
pub struct SpoolFile {
    file: File,
    length: u64,
    mark: FileMark,
}

impl SpoolFile {
    /// Octets.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn mark(&self) -> &FileMark {
        &self.mark
    }

    pub(super) fn read_at(&self, offset: u64, max: usize) -> io::Result<Vec<u8>> {
        let left = self.length.saturating_sub(offset);
        let mut part = vec![0; usize::try_from(left).unwrap_or(max).min(max)];
        self.file.read_exact_at(&mut part, offset)?;
        Ok(part)
    }

    /// Opens the file of a message with `length` octets of content, and reads it once to see that it is what came.
    pub(super) fn open(folder: &Path, mark: FileMark, length: u64) -> Result<Self, StoreError> {
        let path = folder.join(&mark.name);
        let failed = |error: io::Error| StoreError::from_io(&path, &error);
        let file = File::open(&path).map_err(failed)?;
        let damaged = |detail: String| StoreError::Spool {
            path: path.clone(),
            detail,
        };
        let found = file.metadata().map_err(failed)?.len();
        if found != length {
            return Err(damaged(format!(
                "it has {found} octets and was stored with {length}"
            )));
        }
        if seal_of(&file).map_err(failed)? != mark.seal {
            return Err(damaged("its content is not what was stored".into()));
        }
        Ok(Self { file, length, mark })
    }
}

fn seal_of(mut file: &File) -> io::Result<u32> {
    let mut seal = crc32fast::Hasher::new();
    let mut part = vec![0; CHECKED];
    loop {
        match file.read(&mut part)? {
            0 => return Ok(seal.finalize()),
            count => seal.update(part.get(..count).unwrap_or_default()),
        }
    }
}

/// A content file while it is written. Unless it is [kept](SpoolFile), nothing of it stays on the disk.
#[derive(Debug)]
pub struct Writing {
    file: File,
    path: PathBuf,
    length: u64,
    seal: crc32fast::Hasher,
}

impl Writing {
    /// Begins a file in the spool folder; `random` keeps names apart. Blocking, like everything here.
    ///
    /// # Errors
    /// What the system says.
    pub fn begin(folder: &Path, random: u64) -> io::Result<Self> {
        let path = folder.join(format!("content-{random:016x}"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        let file = private_file(&mut options, &path)?;
        Ok(Self {
            file,
            path,
            length: 0,
            seal: crc32fast::Hasher::new(),
        })
    }

    /// Adds octets.
    ///
    /// # Errors
    /// What the system says.
    pub fn push(&mut self, octets: &[u8]) -> io::Result<()> {
        self.file.write_all(octets)?;
        self.seal.update(octets);
        self.length += octets.len() as u64;
        Ok(())
    }

    /// Waits until content and name are on the disk. Nobody answers for the file before its message is accepted: see
    /// [`remove`].
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(self) -> io::Result<SpoolFile> {
        crate::fail_point!("content-before-flush");
        self.file.sync_data()?;
        crate::fail_point!("content-before-name");
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        crate::fail_point!("content-after-name");
        let name = self.path.file_name().unwrap_or_default();
        let mark = FileMark {
            name: name.to_string_lossy().into_owned(),
            seal: self.seal.clone().finalize(),
        };
        Ok(SpoolFile {
            file: self.file,
            length: self.length,
            mark,
        })
    }

    /// Where it is written, so that what was begun in vain can be removed.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Copies octets into a file of this name in one step: what is there under the name is always whole.
pub(super) fn put(folder: &Path, name: &str, octets: &[u8]) -> Result<FileMark, StoreError> {
    let path = folder.join(name);
    put_from(&path, &mut &*octets).map_err(|error| StoreError::from_io(&path, &error))?;
    Ok(FileMark {
        name: name.to_owned(),
        seal: crc32fast::hash(octets),
    })
}

/// Copies all that can be read into this file, in one step and durably.
pub(super) fn put_from(path: &Path, octets: &mut dyn Read) -> io::Result<()> {
    let draft = sibling(path, "-draft");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    let mut file = private_file(&mut options, &draft)?;
    io::copy(octets, &mut file)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
