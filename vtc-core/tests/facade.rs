//! The architecture's one rule that clippy cannot hold: only the sync facade names `std`'s atomics and locks,
//! so that whatever a loom model runs is what ships.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

#[test]
fn only_the_sync_facade_names_atomics_and_locks() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&source);
    let naming: Vec<_> = files
        .iter()
        .filter(|path| {
            let text = fs::read_to_string(path).unwrap();
            ["std::sync::atomic", "std::sync::Mutex", "std::sync::RwLock", "core::sync::atomic", "loom::"]
                .iter()
                .any(|name| text.contains(name))
        })
        .map(|path| path.strip_prefix(&source).unwrap())
        .collect();
    assert_eq!(naming, [Path::new("sync.rs")]);
    assert!(files.len() > 10, "the sources were found");
}
