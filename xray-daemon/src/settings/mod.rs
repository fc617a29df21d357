//! What the daemon is to do: its flags win over its configuration file, that over the environment, that over defaults.
//!
//! As for the AWS daemon, whose files, flags and variables these are. A flag that is given empty (`-p ""`) takes back what
//! the file says.

mod address;
mod file;
mod memory;
mod yaml;

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use reqwest::Url;
use thiserror::Error;

use self::file::{FileError, FileSettings};
use self::memory::TooLittle;
use crate::builder::{DEFAULT_TCP, DEFAULT_UDP};
use crate::go_flags::Flags;
use crate::log::{self, LogSettings};
use crate::upstream::aws::AwsSettings;

/// Where the AWS daemon looks for a configuration when it is named none; the first that exists is used.
const PLACES: &[&str] =
    &["/etc/amazon/xray/cfg.yaml", "cfg.yaml", "github.com/aws/aws-xray-daemon/pkg/cfg.yaml"];

/// What the daemon is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Where to receive segments, `host:port`.
    pub(crate) udp: String,
    /// Where to answer HTTP, `host:port`.
    pub(crate) tcp: String,
    /// How much memory segments that wait may take.
    pub(crate) buffer_bytes: usize,
    /// How many batches are sent at once; `None` where it is not set.
    pub(crate) concurrency: Option<usize>,
    /// How AWS X-Ray is reached. The region is that of the flag or the file; `AWS_REGION` and the machine are asked later.
    pub(crate) aws: AwsSettings,
    pub(crate) log: LogSettings,
    /// The rules from which to answer requests for sampling rules and targets.
    pub(crate) sampling_rules: Option<PathBuf>,
    /// Names under which web pages may ask over TCP, beside those that always may.
    pub(crate) allow_host: Vec<String>,
    /// Warnings for the log.
    pub(crate) notes: Vec<String>,
}

/// Why the daemon cannot start with what it was told.
#[derive(Debug, Error)]
pub(crate) enum SettingsError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "Not enough Buffers Memory Allocated. Min Buffers Memory required: 3 MB. {from} is {set}; set it to 3 or more, or \
         to 0 for 1 % of this machine's memory."
    )]
    TooLittleSet { from: String, set: u64 },
    #[error(
        "Not enough Buffers Memory Allocated. Min Buffers Memory required: 3 MB. 1 % of this machine's {ram_mb} MB is less; \
         set it with -m 3."
    )]
    TooLittleRam { ram_mb: u64 },
    #[error(
        "The {protocol} address {address:?} from {from} cannot be listened on: {why}. Write host:port, such as 127.0.0.1:2000."
    )]
    Address { protocol: &'static str, address: String, from: String, why: &'static str },
    /// The URL itself is not shown: a proxy's may have a password in it.
    #[error("The URL of the {what} from {from} cannot be used: {why}. Write {what_to_write}.")]
    Url { what: &'static str, from: String, why: String, what_to_write: &'static str },
}

impl Settings {
    /// The settings that these flags make, with the configuration file that they name or that is found, and the variables
    /// that `env` knows.
    pub(crate) fn load(flags: &Flags, env: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let places: Vec<&Path> = PLACES.iter().map(Path::new).collect();
        Self::gather(flags, &env, &places, memory::ram())
    }

    fn gather(
        flags: &Flags,
        env: &dyn Fn(&str) -> Option<String>,
        places: &[&Path],
        ram: Option<NonZeroU64>,
    ) -> Result<Self, SettingsError> {
        let named = flags.text("config").filter(|path| !path.is_empty()).map(Path::new);
        // What is there but cannot be looked at is tried, and refused when it is opened.
        let is_there = |place: &&&Path| place.try_exists().unwrap_or(true);
        let path = named.or_else(|| places.iter().find(is_there).copied());
        let file = path.map(FileSettings::read).transpose()?.unwrap_or_default();
        let path = path.unwrap_or(Path::new(""));
        let sources = Sources { flags, path };

        let buffer = sources.either(flags.number("buffer-memory"), "-m", file.buffer_mb, "TotalBufferSizeMB");
        let (buffer_mb, buffer_from) = buffer.unwrap_or_default();
        let buffer_bytes = memory::buffer_bytes(buffer_mb, ram).map_err(|too_little| match too_little {
            TooLittle::Set(set) => SettingsError::TooLittleSet { from: buffer_from, set },
            TooLittle::Share { ram } => SettingsError::TooLittleRam { ram_mb: ram / (1024 * 1024) },
        })?;

        let mut notes = file.notes;
        for name in ["XRAY_DAEMON_CPU_PROFILE", "XRAY_DAEMON_MEMORY_PROFILE"] {
            if env(name).is_some_and(|value| !value.is_empty()) {
                notes.push(format!(
                    "{name} is set, but this daemon writes no profiles; use a profiler such as perf"
                ));
            }
        }
        let level = sources.text("log-level", file.log_level).unwrap_or_else(|| "prod".to_owned());
        let level = log::level(&level).unwrap_or_else(|| {
            notes.push(format!(
                "there is no log level {level:?}, so that it is prod; the levels are dev, debug, info, warn, error and prod"
            ));
            log::PROD
        });

        Ok(Self {
            udp: sources.address("UDP", "bind", "-b", file.udp, "Socket.UDPAddress", DEFAULT_UDP)?,
            tcp: sources.address("TCP", "bind-tcp", "-t", file.tcp, "Socket.TCPAddress", DEFAULT_TCP)?,
            buffer_bytes,
            concurrency: file.concurrency,
            aws: AwsSettings {
                region: sources.text("region", file.region),
                endpoint: sources.endpoint(file.endpoint)?,
                resource_arn: sources.text("resource-arn", file.resource_arn),
                role_arn: sources.text("role-arn", file.role_arn),
                proxy: sources.proxy(file.proxy, env("HTTPS_PROXY"))?,
                no_verify_ssl: file.no_verify_ssl.unwrap_or(false),
                local_mode: flags.switch("local-mode").or(file.local_mode).unwrap_or(false),
            },
            log: LogSettings {
                path: sources.text("log-file", file.log_path).map(PathBuf::from),
                level,
                rotation: file.log_rotation.unwrap_or(true),
            },
            sampling_rules: sources.text("sampling-rules", None).map(PathBuf::from),
            allow_host: flags.texts("allow-host").map(str::to_owned).collect(),
            notes,
        })
    }
}

/// The flags, and the file that goes with them.
struct Sources<'a> {
    flags: &'a Flags,
    path: &'a Path,
}

impl Sources<'_> {
    /// The flag's value, else the file's, and where it is from.
    fn either<T>(&self, given: Option<T>, flag: &str, in_file: Option<T>, key: &str) -> Option<(T, String)> {
        given.map(|value| (value, flag.to_owned())).or_else(|| Some((in_file?, self.in_file(key))))
    }

    fn in_file(&self, key: &str) -> String {
        format!("{key} in {}", self.path.display())
    }

    fn text(&self, flag: &str, in_file: Option<String>) -> Option<String> {
        self.flags.text(flag).map(str::to_owned).or(in_file).filter(|text| !text.is_empty())
    }

    fn address(
        &self,
        protocol: &'static str,
        long: &str,
        flag: &str,
        in_file: Option<String>,
        key: &str,
        default: &str,
    ) -> Result<String, SettingsError> {
        let given = self.flags.text(long).map(str::to_owned);
        let Some((address, from)) = self.either(given, flag, in_file, key) else {
            return Ok(default.to_owned());
        };
        address::complete(&address).map_err(|why| SettingsError::Address { protocol, address, from, why })
    }

    fn endpoint(&self, in_file: Option<String>) -> Result<Option<String>, SettingsError> {
        let given = self.flags.text("endpoint").map(str::to_owned);
        let Some((endpoint, from)) = self.either(given, "--endpoint", in_file, "Endpoint") else {
            return Ok(None);
        };
        url(&endpoint, "https").map_err(|why| SettingsError::Url {
            what: "endpoint",
            from,
            why,
            what_to_write: "for example https://xray.us-east-1.amazonaws.com",
        })
    }

    fn proxy(
        &self,
        in_file: Option<String>,
        in_env: Option<String>,
    ) -> Result<Option<String>, SettingsError> {
        let given = self.flags.text("proxy-address").map(str::to_owned);
        let set = self.either(given, "-p", in_file, "ProxyAddress");
        // As for the AWS daemon, `-p ""` does not hide the variable.
        let set = set.filter(|(proxy, _)| !proxy.is_empty());
        let Some((proxy, from)) = set.or_else(|| Some((in_env?, "HTTPS_PROXY".to_owned()))) else {
            return Ok(None);
        };
        url(&proxy, "http").map_err(|why| SettingsError::Url {
            what: "proxy",
            from,
            why,
            what_to_write: "for example http://127.0.0.1:3128",
        })
    }
}

/// `text` as a URL of http or https, `scheme` put before it where it has none; `None` if it is empty.
fn url(text: &str, scheme: &str) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let text = if text.contains("://") { text.to_owned() } else { format!("{scheme}://{text}") };
    let url = Url::parse(&text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" => Ok(Some(text)),
        scheme => Err(format!("its scheme is {scheme:?}, not http or https")),
    }
}

#[cfg(test)]
mod tests;
