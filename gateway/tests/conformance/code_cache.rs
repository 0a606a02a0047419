//! The cache of compiled code: what is in it is used only as it was written.

use std::fs;
use std::path::{Path, PathBuf};

use loggia::plugin::{Cache, Compiler, Runtime, describe};
use tempfile::TempDir;

use crate::harness::compiler;
use crate::harness::component::Guest;

const MEMORY_BYTES: usize = 4 << 20;

/// A folder with the code of one component in it.
struct Cached {
    folder: TempDir,
    component: Vec<u8>,
}

impl Cached {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cached = Self { folder, component: Guest::default().component() };
        assert!(cached.load(compiler()).await);
        cached
    }

    /// Whether it can be loaded by this compiler.
    async fn load(&self, compiler: Compiler) -> bool {
        let cache = Cache::open(self.folder.path()).unwrap();
        let runtime = Runtime::new(compiler, Some(cache)).unwrap();
        describe(&runtime, &self.component, MEMORY_BYTES).await.is_ok()
    }

    /// Whether it is loaded where nothing can be compiled.
    async fn is_hit(&self) -> bool {
        self.load(Compiler { program: "/nothing/loggia".into(), ..compiler() }).await
    }

    /// The file of the code, the only one beside the key.
    fn code(&self) -> PathBuf {
        let files: Vec<_> = files(self.folder.path());
        let code = files.iter().filter(|path| path.extension().is_some_and(|e| e == "code"));
        let code: Vec<_> = code.collect();
        assert_eq!((code.len(), files.len()), (1, 2), "{files:?}");
        code[0].clone()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn what_was_compiled_is_not_compiled_again() {
    let cached = Cached::new().await;
    assert!(cached.is_hit().await);
}

#[tokio::test]
async fn code_that_was_changed_anywhere_is_not_run() {
    let cached = Cached::new().await;
    let path = cached.code();
    let whole = fs::read(&path).unwrap();
    let places = [0, 1, 31, 32, 33, 64, whole.len() / 3, whole.len() / 2, whole.len() - 1];
    for place in places {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        fs::write(&path, &changed).unwrap();
        assert!(!cached.is_hit().await, "with another byte at {place}");
    }
    for length in [0, 1, 31, 32, 33, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(!cached.is_hit().await, "cut to {length} bytes");
    }
    fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
    assert!(!cached.is_hit().await, "with a byte behind it");
    // Where it can be compiled, it is replaced.
    assert!(cached.load(compiler()).await);
    assert_eq!(fs::read(&path).unwrap(), whole);
    assert!(cached.is_hit().await);
}

#[tokio::test]
async fn code_by_another_key_is_not_run() {
    let cached = Cached::new().await;
    let key = cached.folder.path().join("key");
    fs::remove_file(&key).unwrap();
    assert!(!cached.is_hit().await);
    assert!(key.exists());
}

#[tokio::test]
async fn code_of_another_component_is_not_run() {
    let cached = Cached::new().await;
    let path = cached.code();
    let other = Guest { memory: "3", ..Guest::default() }.component();
    let other = Cached { folder: cached.folder, component: other };
    fs::rename(&path, path.with_extension("old")).unwrap();
    assert!(other.load(compiler()).await);
    let mut own = files(other.folder.path()).into_iter();
    let own = own.find(|path| path.extension().is_some_and(|e| e == "code")).unwrap();
    fs::rename(path.with_extension("old"), own).unwrap();
    assert!(!other.is_hit().await);
}

#[tokio::test]
async fn only_the_gateway_can_read_the_cache() {
    use std::os::unix::fs::PermissionsExt as _;
    let cached = Cached::new().await;
    for path in files(cached.folder.path()) {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_an_error_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(Cache::open(&file).is_err());
    fs::write(folder.path().join("key"), "short").unwrap();
    let error = Cache::open(folder.path()).expect_err("the key is none").to_string();
    assert!(error.contains("is not a key; remove it"), "{error}");
}
