//! How much memory segments that wait may take.

use std::num::NonZeroU64;

const MB: u64 = 1024 * 1024;

/// The AWS daemon runs with no less, and says so in these words.
const LEAST_MB: u64 = 3;

/// What is too little.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TooLittle {
    /// This was asked for.
    Set(u64),
    /// 1 % of this is.
    Share { ram: u64 },
}

/// `megabytes` in bytes; 1 % of `ram`, which is in bytes, in whole megabytes, where they are not set (zero or less).
pub(super) fn buffer_bytes(megabytes: i64, ram: Option<NonZeroU64>) -> Result<usize, TooLittle> {
    let set = u64::try_from(megabytes).ok().filter(|set| *set > 0);
    let megabytes = match (set, ram) {
        (Some(set), _) if set < LEAST_MB => return Err(TooLittle::Set(set)),
        (Some(set), _) => set,
        (None, Some(ram)) => match ram.get() / 100 / MB {
            share if share < LEAST_MB => return Err(TooLittle::Share { ram: ram.get() }),
            share => share,
        },
        // The system does not tell: what always does.
        (None, None) => LEAST_MB,
    };
    Ok(usize::try_from(megabytes.saturating_mul(MB)).unwrap_or(usize::MAX))
}

/// The memory of this machine, in bytes.
pub(super) fn ram() -> Option<NonZeroU64> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use nix::unistd::{SysconfVar, sysconf};
        let pages = sysconf(SysconfVar::_PHYS_PAGES).ok().flatten()?;
        let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten()?;
        NonZeroU64::new(u64::try_from(pages).ok()?.checked_mul(u64::try_from(page).ok()?)?)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(megabytes: i64, ram_mb: u64) -> Result<usize, TooLittle> {
        buffer_bytes(megabytes, NonZeroU64::new(ram_mb * MB))
    }

    #[test]
    fn what_is_set_counts_else_one_percent() {
        const MEGABYTE: usize = 1024 * 1024;
        assert_eq!(bytes(3, 1), Ok(3 * MEGABYTE));
        assert_eq!(bytes(241, 1), Ok(241 * MEGABYTE));
        assert_eq!(bytes(0, 24_199), Ok(241 * MEGABYTE));
        assert_eq!(bytes(-5, 300), Ok(3 * MEGABYTE));
        assert_eq!(bytes(i64::MAX, 300), Ok(usize::MAX));
        assert_eq!(bytes(0, 0), Ok(3 * MEGABYTE));
        assert_eq!(bytes(2, 24_199), Err(TooLittle::Set(2)));
        assert_eq!(bytes(0, 299), Err(TooLittle::Share { ram: 299 * MB }));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_machine_tells_its_memory() {
        let info = std::fs::read_to_string("/proc/meminfo").unwrap();
        let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap();
        let kilobytes: u64 = total.trim().trim_end_matches(" kB").parse().unwrap();
        assert_eq!(ram().unwrap().get(), kilobytes * 1024);
    }
}
