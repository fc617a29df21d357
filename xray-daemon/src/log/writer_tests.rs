use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::log::file::tests::Folder;

/// Long enough for a busy machine; nothing waits for it unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was written, shared.
#[derive(Clone, Default)]
pub(in crate::log) struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(in crate::log) fn log_to_memory() -> (Log, Memory) {
    let memory = Memory::default();
    (Log::start(Output::stream(memory.clone())).unwrap(), memory)
}

pub(in crate::log) fn lines_of(log: &Log, memory: &Memory) -> Vec<String> {
    assert!(log.flush(PATIENCE));
    String::from_utf8(memory.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn lines_of_many_threads_are_whole_and_in_the_order_of_each() {
    let (log, memory) = log_to_memory();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let log = &log;
            scope.spawn(move || {
                for number in 0..500 {
                    log.put(format!("{thread} {number}\n").as_bytes());
                }
            });
        }
    });
    let lines = lines_of(&log, &memory);
    assert_eq!((lines.len(), log.lost()), (2_000, 0));
    for thread in 0..4 {
        let of_one: Vec<&String> =
            lines.iter().filter(|line| line.starts_with(&format!("{thread} "))).collect();
        let expected: Vec<String> = (0..500).map(|number| format!("{thread} {number}")).collect();
        assert_eq!(of_one, expected.iter().collect::<Vec<_>>());
    }
}

/// Answers each write as it is told; it blocks until then.
struct Told {
    /// Says that a write has begun.
    begun: Sender<()>,
    answers: Receiver<io::Result<()>>,
    memory: Memory,
}

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.begun.send(());
        self.answers.recv().unwrap_or(Ok(()))?;
        self.memory.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn who_logs_never_waits_and_what_has_no_room_is_counted_and_told() {
    let (begun, has_begun) = channel();
    let (answer, answers) = channel();
    let memory = Memory::default();
    let log = Log::start(Output::stream(Told { begun, answers, memory: memory.clone() })).unwrap();
    log.put(b"stuck\n");
    has_begun.recv_timeout(PATIENCE).unwrap();
    // The writer is stuck in its first line: one buffer fills, and what comes after is lost.
    let long = [&[b'x'; 1_023][..], b"\n"].concat();
    for _ in 0..ROOM / 1_024 + 7 {
        log.put(&long);
    }
    assert_eq!(log.lost(), 7);
    assert!(!log.flush(Duration::ZERO));
    drop(answer);
    let lines = lines_of(&log, &memory);
    assert_eq!(lines.len(), 1 + 1 + ROOM / 1_024, "{:?}", lines.get(..2));
    let warning = "[Warn] 7 lines of this log were not written; they came faster than they could be written";
    assert!(lines[1].ends_with(warning), "{}", lines[1]);
}

/// A disk that is full as long as the flag says.
struct Disk {
    is_full: Arc<AtomicBool>,
    memory: Memory,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_full.load(Relaxed) {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            self.memory.write(bytes)
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_that_is_full_is_counted_and_told_when_there_is_space() {
    let (is_full, memory) = (Arc::new(AtomicBool::new(true)), Memory::default());
    let output = Output::stream(Disk { is_full: is_full.clone(), memory: memory.clone() });
    // To tell it is tried again and again, not once a minute.
    let log = Log::start_telling(output, Duration::ZERO).unwrap();
    for number in 0..3 {
        log.put(format!("lost {number}\n").as_bytes());
    }
    assert!(log.flush(PATIENCE));
    assert_eq!((log.lost(), memory.0.lock().unwrap().len()), (3, 0));
    is_full.store(false, Relaxed);
    log.put(b"back\n");
    let lines = lines_of(&log, &memory);
    let told: Vec<&str> =
        lines.iter().filter_map(|line| line.split_once("[Warn] ")).map(|(_, text)| text).collect();
    assert_eq!(told, ["3 lines of this log were not written; the last error was: no storage space"]);
    assert!(lines.len() == 2 && lines.iter().any(|line| line == "back"), "{lines:?}");
    assert_eq!(log.lost(), 3);
}

#[test]
fn it_is_told_at_most_once_a_minute() {
    // No answer is ever needed: /dev/full is as full as a disk can be.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let log = Log::start(Output::stream(full)).unwrap();
    for _ in 0..1_000 {
        log.put(b"line\n");
    }
    assert!(log.flush(PATIENCE));
    assert_eq!(log.lost(), 1_000);
}

#[test]
fn a_file_is_rotated_and_opened_anew_on_the_way() {
    let folder = Folder::new();
    let file = LogFile::open(&folder.log(), Some(100)).unwrap();
    let log = Log::start(Output::File(file)).unwrap();
    for number in 0..20 {
        log.put(format!("number {number:03}\n").as_bytes());
    }
    assert!(log.flush(PATIENCE));
    let read = |name: &str| std::fs::read_to_string(folder.0.join(name)).unwrap();
    assert_eq!(read("xray.log.1").lines().count() + read("xray.log").lines().count(), 20);

    std::fs::rename(folder.log(), folder.0.join("moved")).unwrap();
    log.reopen();
    log.put(b"after\n");
    assert!(log.flush(PATIENCE));
    assert_eq!(read("xray.log"), "after\n");
    assert_eq!(log.lost(), 0);
}
