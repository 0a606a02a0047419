//! Compiled code on disk, so that a start need not compile.
//!
//! What is read is executed, so a file counts only with its MAC, by a key that lies beside it and
//! that only the gateway can read. Any other file is a miss, and is replaced. Nothing here is ever
//! an error: without a cache, everything works, later.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use super::code::Code;

/// A folder of compiled code.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    key: [u8; KEY_BYTES],
}

const KEY_BYTES: usize = 32;
const MAC_BYTES: usize = 32;

/// Beyond this, what was used longest ago is removed.
const MAX_FILES: usize = 64;

/// The extensions of what may be removed.
const OURS: [Option<&str>; 2] = [Some("code"), Some("new")];

/// Which code: of this component, for this engine.
#[derive(Clone, Debug)]
pub(super) struct CodeName(String);

impl CodeName {
    pub(super) fn new(engine: &Engine, component: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let digest: String = Sha256::digest(component).iter().map(|b| format!("{b:02x}")).collect();
        Self(format!("{digest}-{:016x}", hasher.finish()))
    }
}

impl Cache {
    /// Use a folder, which is made where there is none.
    ///
    /// # Errors
    /// It cannot be made, or its key neither read nor written.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Ok(Self { folder: folder.to_owned(), key: key(folder)? })
    }

    /// The code of this name, if it is there as it was written.
    pub(super) fn get(&self, name: &CodeName) -> Option<Code> {
        let path = self.path(name);
        let bytes = fs::read(&path).ok()?;
        let (mac, code) = bytes.split_at_checked(MAC_BYTES)?;
        if self.mac(name, code).verify_slice(mac).is_err() {
            tracing::warn!(path = %path.display(), "compiled code is not as it was written");
            return None;
        }
        // Which was used last is told by the time of its file.
        File::open(&path).and_then(|file| file.set_modified(SystemTime::now())).ok();
        Some(Code::authentic(code.to_vec()))
    }

    /// Keep code for the next start, if that is possible.
    pub(super) fn put(&self, name: &CodeName, code: &Code) {
        if let Err(error) = self.write(name, code) {
            let folder = self.folder.display();
            tracing::warn!(%error, %folder, "compiled code could not be kept");
        }
        self.remove_oldest();
    }

    fn write(&self, name: &CodeName, code: &Code) -> io::Result<()> {
        let mac = self.mac(name, code.bytes()).finalize().into_bytes();
        let temporary = write_new(&self.folder, &[&mac, code.bytes()])?;
        fs::rename(&temporary, self.path(name))?;
        File::open(&self.folder)?.sync_all()
    }

    /// The name is part of it: code of another component is no stand-in.
    fn mac(&self, name: &CodeName, code: &[u8]) -> Hmac<Sha256> {
        let mac = Hmac::new_from_slice(&self.key).expect("a key may have any length");
        mac.chain_update(&name.0).chain_update(code)
    }

    fn path(&self, name: &CodeName) -> PathBuf {
        self.folder.join(&name.0).with_extension("code")
    }

    fn remove_oldest(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        let mut files: Vec<_> = entries
            .flatten()
            .map(|entry| entry.path())
            // Files that were begun and never got their name are of no use either.
            .filter(|path| {
                path.extension().is_some_and(|extension| OURS.contains(&extension.to_str()))
            })
            .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
            .collect();
        files.sort();
        let surplus = files.len().saturating_sub(MAX_FILES);
        files.iter().take(surplus).for_each(|(_, path)| drop(fs::remove_file(path)));
    }
}

/// The key of a folder. The first who comes makes it; it takes its name whole, or not at all.
fn key(folder: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let path = folder.join("key");
    if !path.exists() {
        let fresh: [u8; KEY_BYTES] = rand::random();
        let temporary = write_new(folder, &[&fresh])?;
        let made = fs::hard_link(&temporary, &path);
        fs::remove_file(&temporary)?;
        made.or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Ok(()),
            _ => Err(error),
        })?;
    }
    fs::read(&path)?.try_into().map_err(|_| {
        let text = format!("{} is not a key; remove it", path.display());
        io::Error::new(io::ErrorKind::InvalidData, text)
    })
}

/// A file of a new name, with these bytes safely in it, that only its owner can read.
fn write_new(folder: &Path, parts: &[&[u8]]) -> io::Result<PathBuf> {
    let path = folder.join(format!("{:032x}.new", rand::random::<u128>()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()?;
    Ok(path)
}
