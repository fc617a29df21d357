use std::fs;

use proptest::prelude::*;

use super::*;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("rollbar-source-{}-{:016x}", std::process::id(), fastrand::u64(..));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn files(&self) -> SourceFiles {
        SourceFiles::new(Some(&self.0))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn numbered(lines: u32) -> String {
    (1..=lines).map(|n| format!("    line {n};\n")).collect()
}

#[test]
fn a_line_comes_with_four_before_and_four_after() {
    let folder = Folder::new();
    folder.write("a.rs", numbered(20));
    let mut files = folder.files();
    let line = |n| Line::from(&*format!("    line {n};"));
    for (at, pre, post) in [(1, 1..1, 2..6), (3, 1..3, 4..8), (10, 6..10, 11..15), (20, 16..20, 21..21)] {
        let excerpt =
            Excerpt { code: line(at), pre: pre.map(line).collect(), post: post.map(line).collect() };
        assert_eq!(files.excerpt("a.rs", at), Some(excerpt), "{at}");
    }
    for missing in [0, 21, u32::MAX] {
        assert_eq!(files.excerpt("a.rs", missing), None);
    }
    let absolute = folder.0.join("a.rs");
    assert_eq!(files.excerpt(absolute.to_str().unwrap(), 2).unwrap().code, line(2));
}

#[test]
fn the_current_folder_is_looked_in_too() {
    let folder = Folder::new();
    let excerpt = folder.files().excerpt("src/symbols/source_tests.rs", 1).unwrap();
    assert_eq!(&*excerpt.code, "use std::fs;");
}

#[test]
fn odd_files_do_no_harm() {
    let folder = Folder::new();
    folder.write("long.rs", "é".repeat(2_000));
    folder.write("bytes.rs", b"one\r\n\xff\xfe\r\n");
    folder.write("empty.rs", "");
    folder.write("large.rs", "a\n".repeat(600_000));
    folder.write("secret.toml", "token");
    fs::create_dir(folder.0.join("folder.rs")).unwrap();
    let mut files = folder.files();
    assert_eq!(&*files.excerpt("long.rs", 1).unwrap().code, &*"é".repeat(512));
    assert_eq!(&*files.excerpt("bytes.rs", 1).unwrap().code, "one");
    assert_eq!(&*files.excerpt("bytes.rs", 2).unwrap().code, "\u{fffd}\u{fffd}");
    for none in
        ["empty.rs", "large.rs", "secret.toml", "folder.rs", "missing.rs", "\0.rs", "/dev/zero", ".rs"]
    {
        assert_eq!(files.excerpt(none, 1), None, "{none}");
    }
}

#[cfg(unix)]
#[test]
fn a_fifo_and_a_device_are_never_opened() {
    let folder = Folder::new();
    let fifo = folder.0.join("fifo.rs");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    std::os::unix::fs::symlink("/dev/zero", folder.0.join("zero.rs")).unwrap();
    let mut files = folder.files();
    // Would wait for a writer, and read without end.
    assert_eq!(files.excerpt("fifo.rs", 1), None);
    assert_eq!(files.excerpt("zero.rs", 1), None);
}

#[test]
fn the_files_kept_are_bounded_by_number_and_by_bytes() {
    let folder = Folder::new();
    let mut files = folder.files();
    folder.write("first.rs", "first\n");
    files.excerpt("first.rs", 1);
    fs::remove_file(folder.0.join("first.rs")).unwrap();
    for n in 0..200 {
        // Missing files are kept as such: they are not looked for again and again.
        files.excerpt(&format!("{n}.rs"), 1);
        assert_eq!(&*files.excerpt("first.rs", 1).unwrap().code, "first", "asked for, and forgotten");
        assert!(files.files.len() <= MAX_FILES);
    }
    folder.write("breaks.rs", "\n".repeat(MAX_FILE_BYTES as usize));
    assert!(files.excerpt("breaks.rs", 7).is_some());
    assert!(files.bytes <= MAX_BYTES, "{}", files.bytes);
    let large = numbered(50_000);
    for n in 0..20 {
        let name = format!("large{n}.rs");
        folder.write(&name, &large);
        assert!(files.excerpt(&name, 7).is_some());
        assert!(files.bytes <= MAX_BYTES, "{}", files.bytes);
        assert_eq!(files.bytes, files.files.values().map(Kept::bytes).sum::<usize>());
    }
}

proptest! {
    #[test]
    fn lines_are_those_of_the_text(text in "[a-zé\r\n ]{0,60}", line in 0_u32..20) {
        let file = SourceFile::new(&text);
        let expected = (line as usize).checked_sub(1).and_then(|at| text.split('\n').nth(at));
        // After the last line break there is no line.
        let expected = expected.filter(|_| (line as usize) <= text.lines().count());
        prop_assert_eq!(file.excerpt(line).map(|excerpt| excerpt.code), expected.map(|line| line.trim_end().into()));
    }
}
