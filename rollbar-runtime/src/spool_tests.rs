//! Tests of [`spool`](super), in folders of their own.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::*;

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("rollbar-spool-{}", Uuid::new_v4())))
    }

    fn open(&self) -> Spool {
        Spool::open(&self.0, 1 << 20, 100).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Puts a file there as it was left so long ago.
    fn leave(&self, name: &str, text: &str, age: Duration) {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        File::options().append(true).open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn item(uuid: Uuid) -> String {
    json!({ "data": { "uuid": uuid.to_string(), "level": "error", "body": { "message": { "body": "m" } } } })
        .to_string()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_one_run_leaves_the_next_one_sends_oldest_first() {
    let folder = Folder::new();
    let uuids = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
    let mut spool = folder.open();
    for uuid in uuids {
        assert!(spool.store(uuid, item(uuid).as_bytes()));
    }
    assert_eq!(spool.stats().stored, 3);
    assert_eq!(mode(&folder.0), 0o700);
    assert!(fs::read_dir(&folder.0).unwrap().all(|entry| mode(&entry.unwrap().path()) == 0o600));
    drop(spool);
    // Whatever the clock of the file system can tell apart.
    for (uuid, age) in uuids.iter().zip([20, 30, 10]) {
        folder.leave(&format!("{uuid}.json"), &item(*uuid), Duration::from_secs(age));
    }
    let mut spool = folder.open();
    assert_eq!(spool.left(), 3);
    assert_eq!(spool.next_left().unwrap().uuid, uuids[1]);
    assert_eq!(spool.next_left().unwrap().uuid, uuids[0]);
    spool.done(uuids[1]);
    // The second fails again: it stays, as what was never tried does.
    assert!(spool.store(uuids[0], b""));
    let mut names = vec![format!("{}.json", uuids[0]), format!("{}.json", uuids[2])];
    names.sort();
    assert_eq!(folder.names(), names);
    assert_eq!(fs::read_to_string(folder.0.join(format!("{}.json", uuids[0]))).unwrap(), item(uuids[0]));
}

#[test]
fn two_processes_do_not_send_the_same() {
    let folder = Folder::new();
    let uuids: Vec<_> = (0..20).map(|_| Uuid::new_v4()).collect();
    let mut first = folder.open();
    for uuid in &uuids {
        assert!(first.store(*uuid, item(*uuid).as_bytes()));
    }
    let (mut first, mut second) = (folder.open(), folder.open());
    let mut sent = Vec::new();
    while let (Some(one), other) = (first.next_left(), second.next_left()) {
        sent.push(one.uuid);
        sent.extend(other.map(|item| item.uuid));
    }
    sent.sort();
    let mut all = uuids.clone();
    all.sort();
    assert_eq!(sent, all);
    // While both send, a third has nothing to do; when one ends without a word, its items are there again.
    assert_eq!(folder.open().left(), 0);
    let of_first = first.claimed.len();
    drop(first);
    assert_eq!(folder.open().left(), of_first);
}

#[test]
fn the_claim_of_a_process_that_is_gone_is_taken_over() {
    let folder = Folder::new();
    drop(folder.open());
    let (gone, busy) = (Uuid::new_v4(), Uuid::new_v4());
    let day = Duration::from_secs(86_400);
    folder.leave(&format!("{gone}.{}.claim", unix_seconds() - 601), &item(gone), day);
    folder.leave(&format!("{busy}.{}.claim", unix_seconds() - 1), &item(busy), day);
    folder.leave(&format!("{gone}.1.partial"), "{", day);
    folder.leave(&format!("{busy}.1.partial"), "{", Duration::ZERO);
    let mut spool = folder.open();
    assert_eq!(spool.next_left().unwrap().uuid, gone);
    assert!(spool.next_left().is_none());
    assert_eq!(folder.names().iter().filter(|name| name.ends_with(".partial")).count(), 1);
}

#[test]
fn what_is_no_item_is_removed_and_counted_and_what_is_not_ours_stays() {
    let folder = Folder::new();
    drop(folder.open());
    let (good, other) = (Uuid::new_v4(), Uuid::new_v4());
    for text in
        ["", "{\"data\": {", "[]", "\u{0}\u{0}", "{\"data\":{\"body\":{},\"level\":\"error\"}}", &item(other)]
    {
        folder.leave(&format!("{}.json", Uuid::new_v4()), text, Duration::from_secs(9));
    }
    folder.leave(&format!("{}.json", Uuid::new_v4()), &"[".repeat(2 << 20), Duration::from_secs(9));
    folder.leave(&format!("{good}.json"), &item(good), Duration::ZERO);
    folder.leave("notes.json", "mine", Duration::ZERO);
    std::os::unix::fs::symlink("/etc/passwd", folder.0.join(format!("{}.json", Uuid::new_v4()))).unwrap();
    let mut spool = folder.open();
    assert_eq!(spool.next_left().unwrap().uuid, good);
    assert!(spool.next_left().is_none());
    assert_eq!(spool.stats().broken, 7);
    spool.done(good);
    assert_eq!(folder.names().len(), 2, "the note and the link");
}

#[test]
fn the_oldest_make_room() {
    let folder = Folder::new();
    let mut spool = Spool::open(&folder.0, 1 << 20, 3).unwrap();
    let old = Uuid::new_v4();
    folder.leave(&format!("{old}.json"), &item(old), Duration::from_secs(60));
    for _ in 0..3 {
        let uuid = Uuid::new_v4();
        assert!(spool.store(uuid, item(uuid).as_bytes()));
    }
    assert_eq!(spool.stats(), SpoolStats { stored: 3, evicted: 1, ..SpoolStats::default() });
    assert_eq!(folder.names().len(), 3);
    assert!(!folder.names().contains(&format!("{old}.json")));

    let mut small = Spool::open(&folder.0, 1000, 100).unwrap();
    assert!(small.store(Uuid::new_v4(), &[b' '; 900]));
    let bytes: u64 =
        fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= 1000, "{bytes}");
    assert!(!small.store(Uuid::new_v4(), &[b' '; 1001]), "larger than all that may be kept");
    assert_eq!(small.stats().failed, 1);
}

#[test]
fn a_folder_that_cannot_be_used_is_refused_with_what_to_do() {
    let folder = Folder::new();
    fs::write(&folder.0, "a file").unwrap();
    let error = Spool::open(&folder.0, 1, 1).unwrap_err();
    assert!(matches!(error, SpoolError::NoFolder { .. }), "{error}");
    let error = Spool::open(&folder.0.join("below"), 1, 1).unwrap_err();
    assert!(matches!(error, SpoolError::Folder { .. }), "{error}");
    fs::remove_file(&folder.0).unwrap();
    drop(folder.open());
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o777)).unwrap();
    let error = Spool::open(&folder.0, 1, 1).unwrap_err();
    assert!(error.to_string().contains("chmod 700"), "{error}");
}

#[test]
fn a_folder_that_goes_away_loses_the_item_and_counts_it() {
    let folder = Folder::new();
    let mut spool = folder.open();
    fs::remove_dir_all(&folder.0).unwrap();
    for _ in 0..2 {
        assert!(!spool.store(Uuid::new_v4(), b"{}"));
    }
    assert_eq!(spool.stats(), SpoolStats { failed: 2, ..SpoolStats::default() });
}

/// A device without room, as Linux has one.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_loses_the_item_and_leaves_no_half_of_it() {
    let folder = Folder::new();
    let mut spool = folder.open();
    let uuid = Uuid::new_v4();
    let partial = format!("{uuid}.{}.partial", std::process::id());
    std::os::unix::fs::symlink("/dev/full", folder.0.join(&partial)).unwrap();
    assert!(!spool.store(uuid, item(uuid).as_bytes()));
    assert_eq!(spool.stats().failed, 1);
    assert!(folder.names().is_empty());
    assert!(spool.store(uuid, item(uuid).as_bytes()), "there is room again");
}
