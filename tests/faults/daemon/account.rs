//! Where every datagram went, as the daemon tells it.

/// Datagrams and documents, by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    pub received: u64,
    pub missing_header: u64,
    pub missing_document: u64,
    pub invalid_header: u64,
    /// The sum of these.
    pub rejected: u64,
    pub sent: u64,
    pub unprocessed: u64,
    pub memory: u64,
    pub refused: u64,
    pub unanswered: u64,
    pub shutdown: u64,
    pub panicked: u64,
    /// Waiting and under way, in batches or before.
    pub pending: u64,
    pub retried: u64,
    /// Datagrams that the kernel dropped before the daemon saw them.
    pub kernel: u64,
}

impl Account {
    /// From the page of `/metrics`.
    pub fn of_metrics(page: &str) -> Self {
        let value = |name: &str, label: &str| -> u64 {
            let lines = page.lines().filter(|line| !line.starts_with('#'));
            let values = lines.filter_map(|line| line.strip_prefix("xray_daemon_")?.strip_prefix(name));
            let (mut sum, mut found) = (0, false);
            for rest in values.filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(label)) {
                sum += rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64;
                found = true;
            }
            assert!(found, "no {name} {label}\n{page}");
            sum
        };
        let rejected = |cause: &str| value("datagrams_rejected_total", &format!("cause=\"{cause}\""));
        let dropped = |cause: &str| value("segments_dropped_total", &format!("cause=\"{cause}\""));
        let received = value("datagrams_received_total", "");
        let all_rejected = value("datagrams_rejected_total", "");
        // The counters are read one after the other, while they go on.
        let in_batch = received.saturating_sub(all_rejected + value("segments_queued_total", ""));
        Self {
            received,
            missing_header: rejected("missing_header"),
            missing_document: rejected("missing_document"),
            invalid_header: rejected("invalid_header"),
            rejected: all_rejected,
            sent: value("segments_sent_total", ""),
            unprocessed: value("segments_unprocessed_total", ""),
            memory: dropped("memory"),
            refused: dropped("refused"),
            unanswered: dropped("unanswered"),
            shutdown: dropped("shutdown"),
            panicked: dropped("panicked"),
            pending: value("segments_pending", "") + in_batch,
            retried: value("segments_retried_total", ""),
            kernel: value("datagrams_dropped_by_kernel_total", ""),
        }
    }

    /// From the last line of the log.
    pub fn of_last_line(log: &[String]) -> Self {
        let line = log.iter().rev().find(|line| line.contains("] Received "));
        let line = line.unwrap_or_else(|| panic!("no account: {log:#?}"));
        let words: Vec<&str> = line
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        let number = |found: Option<&&str>| found.and_then(|word| word.parse().ok());
        let at = |word: &str| {
            words.iter().position(|other| *other == word).unwrap_or_else(|| panic!("{word}: {line}"))
        };
        let after = |word: &str| number(words.get(at(word) + 1)).unwrap_or_else(|| panic!("{word}: {line}"));
        let before = |word: &str| number(words.get(at(word) - 1)).unwrap_or_else(|| panic!("{word}: {line}"));
        let account = Self {
            received: after("Received"),
            rejected: before("rejected"),
            sent: before("sent"),
            unprocessed: before("unprocessed"),
            memory: after("memory"),
            refused: after("refused"),
            unanswered: after("unanswered"),
            shutdown: after("shutdown"),
            panicked: after("panicked"),
            kernel: if line.contains("by the kernel") { number(words.get(at("by") - 2)).unwrap() } else { 0 },
            ..Self::default()
        };
        assert_eq!(account.dropped(), before("dropped"), "{line}");
        account
    }

    /// Datagrams that came as far as this machine's socket.
    pub fn arrived(&self) -> u64 {
        self.received + self.kernel
    }

    /// Documents that were lost.
    pub fn dropped(&self) -> u64 {
        self.memory + self.refused + self.unanswered + self.shutdown + self.panicked
    }

    /// Whether every datagram is in one place.
    pub fn is_closed(&self) -> bool {
        self.received == self.rejected + self.sent + self.unprocessed + self.dropped() + self.pending
    }
}
