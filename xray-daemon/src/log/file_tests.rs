use std::os::unix::fs::PermissionsExt;

use super::*;

/// A folder that goes with the test.
pub(in crate::log) struct Folder(pub(in crate::log) PathBuf);

impl Folder {
    pub(in crate::log) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("xray-log-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    pub(in crate::log) fn log(&self) -> PathBuf {
        self.0.join("xray.log")
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_full_file_moves_and_exactly_one_is_kept() {
    let folder = Folder::new();
    let mut file = LogFile::open(&folder.log(), Some(10)).unwrap();
    for number in 0..7 {
        file.write_line(format!("line {number}\n").as_bytes()).unwrap();
    }
    assert_eq!(folder.names(), ["xray.log", "xray.log.1"]);
    // Two of seven bytes are the first past ten.
    assert_eq!(
        (folder.read("xray.log.1").as_str(), folder.read("xray.log").as_str()),
        ("line 4\nline 5\n", "line 6\n")
    );
    for name in folder.names() {
        assert_eq!(std::fs::metadata(folder.0.join(name)).unwrap().permissions().mode() & 0o777, 0o644);
    }
    assert_eq!(file.take_note(), None);
}

#[test]
fn what_is_there_is_written_on_and_counts() {
    let folder = Folder::new();
    std::fs::write(folder.log(), "before\n").unwrap();
    let mut file = LogFile::open(&folder.log(), Some(10)).unwrap();
    file.write_line(b"a\n").unwrap();
    file.write_line(b"bc\n").unwrap();
    assert_eq!(folder.names(), ["xray.log"]);
    file.write_line(b"d\n").unwrap();
    assert_eq!(
        (folder.read("xray.log.1").as_str(), folder.read("xray.log").as_str()),
        ("before\na\nbc\n", "d\n")
    );
}

#[test]
fn without_rotation_it_grows_and_its_folder_is_made() {
    let folder = Folder::new();
    let path = folder.0.join("not/there/yet.log");
    let mut file = LogFile::open(&path, None).unwrap();
    for _ in 0..100 {
        file.write_line(b"0123456789\n").unwrap();
    }
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 1_100);
    assert!(!folder.0.join("not/there/yet.log.1").exists());
}

#[test]
fn it_is_opened_anew_by_its_name() {
    let folder = Folder::new();
    let mut file = LogFile::open(&folder.log(), Some(1_000)).unwrap();
    file.write_line(b"one\n").unwrap();
    std::fs::rename(folder.log(), folder.0.join("moved")).unwrap();
    file.write_line(b"two\n").unwrap();
    file.reopen();
    file.write_line(b"three\n").unwrap();
    assert_eq!((folder.read("moved").as_str(), folder.read("xray.log").as_str()), ("one\ntwo\n", "three\n"));
    // Where it cannot be, the one that is open is kept, and it is said.
    std::fs::remove_file(folder.log()).unwrap();
    std::fs::create_dir(folder.log()).unwrap();
    file.reopen();
    file.write_line(b"four\n").unwrap();
    assert!(file.take_note().unwrap().starts_with("cannot open the log file "));
    assert_eq!(file.take_note(), None);
}

#[test]
fn one_that_cannot_be_moved_grows_and_says_so() {
    let folder = Folder::new();
    // A folder with something in it cannot be replaced by a file, by root neither.
    std::fs::create_dir_all(folder.0.join("xray.log.1/full")).unwrap();
    let mut file = LogFile::open(&folder.log(), Some(100)).unwrap();
    for _ in 0..30 {
        file.write_line(b"0123456789\n").unwrap();
    }
    assert_eq!(folder.read("xray.log").len(), 330);
    assert!(file.take_note().unwrap().starts_with("cannot rotate the log file "));
    // As soon as it can be, it is.
    std::fs::remove_dir_all(folder.0.join("xray.log.1")).unwrap();
    for _ in 0..2 {
        file.write_line(b"0123456789\n").unwrap();
    }
    assert!(folder.read("xray.log.1").len() >= 330);
    assert!(folder.read("xray.log").len() <= 22);
}

#[test]
fn a_device_is_neither_full_nor_moved() {
    let mut file = LogFile::open(Path::new("/dev/null"), Some(1)).unwrap();
    for _ in 0..3 {
        file.write_line(b"0123456789\n").unwrap();
    }
    assert!(file.take_note().is_none() && !Path::new("/dev/null.1").exists());
}

#[test]
fn a_full_disk_is_an_error_and_no_more() {
    let mut file = LogFile::open(Path::new("/dev/full"), Some(1)).unwrap();
    let error = file.write_line(b"line\n").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

/// Takes some bytes, then none, then all.
struct Tight {
    room: usize,
    has: Vec<u8>,
}

impl Write for Tight {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room);
        if count == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room -= count;
        self.has.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_that_was_cut_is_ended_before_the_next() {
    let (mut torn, mut tight) = (Torn(false), Tight { room: 3, has: Vec::new() });
    assert!(matches!(torn.write(&mut tight, b"first\n"), (3, Err(_))));
    assert!(matches!(torn.write(&mut tight, b"second\n"), (0, Err(_))));
    tight.room = 100;
    assert!(matches!(torn.write(&mut tight, b"third\n"), (7, Ok(()))));
    assert!(matches!(torn.write(&mut tight, b"fourth\n"), (7, Ok(()))));
    assert_eq!(tight.has, b"fir\nthird\nfourth\n");
}
