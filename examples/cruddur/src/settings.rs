//! What the environment and the command line say.

use std::ffi::OsString;
use std::num::NonZeroU16;
use std::time::Duration;

use rollbar_runtime::{DEFAULT_ENDPOINT, Endpoint, InvalidEndpoint};
use xray_runtime::{DaemonAddress, InvalidDaemonAddress};

/// The port where none is set: the original's front end expects it there.
const PORT: u16 = 4567;

/// Where a local daemon listens, by UDP for traces and by TCP for reports.
const LOCAL: &str = "127.0.0.1:2000";

/// What `--help` prints.
pub const HELP: &str = "\
The Cruddur back end in axum over SQLite, every request traced and every failure reported

Usage: cruddur [--demo | --load CLIENTS SECONDS]

  --demo                  also send itself a steady mix of requests, two a second, until Ctrl-C
  --load CLIENTS SECONDS  send itself as much as it can from CLIENTS (1 to 1000) connections for SECONDS
                          (1 to 3600), print what was recorded, reported, received and dropped, and end
  -h, --help              print this

Environment:
  PORT                     where the back end listens, 1 to 65534 (default 4567); its second service, which
                           recommends users, listens on the port after it
  AWS_XRAY_URL             a pattern such as *.cruddur.com: segments are named after the Host header of requests
                           that match it, and `Cruddur` otherwise
  AWS_XRAY_DAEMON_ADDRESS  the X-Ray daemon to send to, such as 127.0.0.1:2000; where it is not set, a daemon runs
                           in this process and each trace is drawn in the terminal
  ROLLBAR_ACCESS_TOKEN     the token of a Rollbar project, to which failures are reported then; where it is not set,
                           a double of Rollbar's API runs in this process and each report is drawn in the terminal
  ROLLBAR_ENDPOINT         where Rollbar's API is, such as http://127.0.0.1:2000; with it no token is needed
  ROLLBAR_ENVIRONMENT, ROLLBAR_CODE_VERSION, ROLLBAR_ENABLED
                           as in every program that uses rollbar-runtime
";

/// What the app is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Serve until Ctrl-C.
    Serve,
    /// Serve, and send a steady mix of requests.
    Demo,
    /// Send as much as possible for a while, and count.
    Load(Load),
    /// Print [`HELP`].
    Help,
}

/// How much load to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Connections that send one request after the other.
    pub clients: u16,
    /// For how long.
    pub duration: Duration,
}

/// Why the command line cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// An argument that does not exist.
    #[error("there is no argument `{0}`: see --help")]
    Unknown(String),
    /// Something follows a complete command.
    #[error("`{0}` is one argument too many: see --help")]
    TooMany(String),
    /// `--load` without its two numbers, or with wrong ones.
    #[error("--load takes CLIENTS (1 to 1000) and SECONDS (1 to 3600), such as `--load 50 30`")]
    Load,
}

impl Command {
    /// Reads the arguments that follow the program's name.
    ///
    /// # Errors
    /// [`UsageError`] says which argument is wrong and what to write instead.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, UsageError> {
        let mut arguments = arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned());
        let command = match arguments.next().as_deref() {
            None => Self::Serve,
            Some("-h" | "--help") => Self::Help,
            Some("--demo") => Self::Demo,
            Some("--load") => {
                let mut number = |most: u16| {
                    let number: u16 = arguments.next()?.parse().ok()?;
                    (1..=most).contains(&number).then_some(number)
                };
                let clients = number(1000).ok_or(UsageError::Load)?;
                let seconds = number(3600).ok_or(UsageError::Load)?;
                Self::Load(Load { clients, duration: Duration::from_secs(seconds.into()) })
            }
            Some(other) => return Err(UsageError::Unknown(other.to_owned())),
        };
        arguments.next().map_or(Ok(command), |extra| Err(UsageError::TooMany(extra)))
    }
}

/// How the app runs; [`start`](crate::start) takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the two services listen.
    pub ports: Ports,
    /// Segments are named after the Host header of requests that match this pattern (`*` and `?`).
    pub dynamic_naming: Option<String>,
    /// Where the segments go.
    pub daemon: Daemon,
    /// Where the reports go.
    pub rollbar: Rollbar,
}

/// Where the two services listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// The back end on this port, the recommendations service on the next.
    From(NonZeroU16),
    /// Any two free ports, for tests.
    Free,
}

/// Where the segments go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Daemon {
    /// To the X-Ray daemon at this address, in any form of `AWS_XRAY_DAEMON_ADDRESS`.
    At(String),
    /// To a daemon in this process that receives on this UDP address, or to what listens there already.
    InProcess(String),
}

/// Where the reports go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rollbar {
    /// To the API at this endpoint, in any form of `ROLLBAR_ENDPOINT`.
    At {
        /// The endpoint.
        endpoint: String,
        /// Whether `ROLLBAR_ACCESS_TOKEN` has the token; else one is made up, which does for a double.
        has_token: bool,
    },
    /// To a double of the API in this process that listens on this TCP address, or to what listens there already.
    InProcess(String),
    /// Nowhere.
    Off,
}

/// Why the environment cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// `PORT` is not a port that has one after it.
    #[error("PORT is `{0}`: it must be a number from 1 to 65534")]
    Port(String),
    /// `AWS_XRAY_DAEMON_ADDRESS` is no address.
    #[error("AWS_XRAY_DAEMON_ADDRESS is {0}")]
    DaemonAddress(#[from] InvalidDaemonAddress),
    /// `ROLLBAR_ENDPOINT` is no address of an API.
    #[error("ROLLBAR_ENDPOINT is wrong: {0}")]
    Endpoint(#[from] InvalidEndpoint),
    /// A variable that is not UTF-8.
    #[error("{0} is not valid UTF-8")]
    NotUtf8(&'static str),
}

impl Settings {
    /// Reads `PORT`, `AWS_XRAY_URL`, `AWS_XRAY_DAEMON_ADDRESS`, `ROLLBAR_ACCESS_TOKEN` and `ROLLBAR_ENDPOINT`; an empty
    /// variable counts as not set.
    ///
    /// # Errors
    /// [`SettingsError`] where `PORT` is no usable port, an address is none, or a variable is not UTF-8.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_lookup(std::env::var_os)
    }

    fn from_lookup(lookup: impl Fn(&'static str) -> Option<OsString>) -> Result<Self, SettingsError> {
        let read = |name| match lookup(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok((!value.trim().is_empty()).then(|| value.trim().to_owned())),
            Some(Err(_)) => Err(SettingsError::NotUtf8(name)),
        };
        let port = match read("PORT")? {
            None => PORT,
            Some(text) => match text.parse() {
                Ok(port @ 1..=65534) => port,
                _ => return Err(SettingsError::Port(text)),
            },
        };
        Ok(Self {
            ports: NonZeroU16::new(port).map_or(Ports::Free, Ports::From),
            dynamic_naming: read("AWS_XRAY_URL")?,
            daemon: match read("AWS_XRAY_DAEMON_ADDRESS")? {
                Some(address) => {
                    // The recorder would log it and send elsewhere; an app that is being tried out should refuse it.
                    address.parse::<DaemonAddress>()?;
                    Daemon::At(address)
                }
                None => Daemon::InProcess(LOCAL.to_owned()),
            },
            rollbar: match (read("ROLLBAR_ENDPOINT")?, read("ROLLBAR_ACCESS_TOKEN")?.is_some()) {
                (None, false) => Rollbar::InProcess(LOCAL.to_owned()),
                (endpoint, has_token) => {
                    let endpoint = endpoint.unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
                    Endpoint::parse(&endpoint)?;
                    Rollbar::At { endpoint, has_token }
                }
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> Result<Command, UsageError> {
        Command::parse(line.split_whitespace().map(OsString::from))
    }

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_lookup(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_command_line_says_what_to_do() {
        assert_eq!(command(""), Ok(Command::Serve));
        assert_eq!(command("--demo"), Ok(Command::Demo));
        assert_eq!(command("-h"), Ok(Command::Help));
        let load = Load { clients: 50, duration: Duration::from_secs(30) };
        assert_eq!(command("--load 50 30"), Ok(Command::Load(load)));
    }

    #[test]
    fn a_wrong_command_line_is_refused() {
        assert_eq!(command("--dmeo"), Err(UsageError::Unknown("--dmeo".into())));
        assert_eq!(command("--demo now"), Err(UsageError::TooMany("now".into())));
        assert_eq!(command("--load 50 30 1"), Err(UsageError::TooMany("1".into())));
        for wrong in [
            "--load",
            "--load 50",
            "--load 0 30",
            "--load 50 0",
            "--load 1001 1",
            "--load -1 5",
            "--load a b",
        ] {
            assert_eq!(command(wrong), Err(UsageError::Load), "{wrong}");
        }
    }

    #[test]
    fn an_empty_environment_gives_the_defaults() {
        let defaults = Settings {
            ports: Ports::From(NonZeroU16::new(4567).unwrap()),
            dynamic_naming: None,
            daemon: Daemon::InProcess("127.0.0.1:2000".into()),
            rollbar: Rollbar::InProcess("127.0.0.1:2000".into()),
        };
        assert_eq!(settings(&[]), Ok(defaults.clone()));
        let empty = [
            ("PORT", ""),
            ("AWS_XRAY_URL", " "),
            ("AWS_XRAY_DAEMON_ADDRESS", ""),
            ("ROLLBAR_ACCESS_TOKEN", " "),
            ("ROLLBAR_ENDPOINT", ""),
        ];
        assert_eq!(settings(&empty), Ok(defaults));
    }

    #[test]
    fn the_environment_is_read() {
        let read = settings(&[
            ("PORT", "8000"),
            ("AWS_XRAY_URL", "*.cruddur.com"),
            ("AWS_XRAY_DAEMON_ADDRESS", "xray-daemon:2000"),
        ]);
        let expected = Settings {
            ports: Ports::From(NonZeroU16::new(8000).unwrap()),
            dynamic_naming: Some("*.cruddur.com".into()),
            daemon: Daemon::At("xray-daemon:2000".into()),
            rollbar: Rollbar::InProcess("127.0.0.1:2000".into()),
        };
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn reports_go_to_rollbar_with_a_token_and_to_an_endpoint_without_one() {
        let rollbar = |variables: &[(&str, &str)]| settings(variables).map(|settings| settings.rollbar);
        let at = |endpoint: &str, has_token| Ok(Rollbar::At { endpoint: endpoint.into(), has_token });
        let token = ("ROLLBAR_ACCESS_TOKEN", "0123456789abcdef0123456789abcdef");
        assert_eq!(rollbar(&[token]), at("https://api.rollbar.com/api/1/", true));
        let endpoint = ("ROLLBAR_ENDPOINT", "http://rollbar.example");
        assert_eq!(rollbar(&[token, endpoint]), at("http://rollbar.example", true));
        assert_eq!(rollbar(&[endpoint]), at("http://rollbar.example", false));
    }

    #[test]
    fn a_wrong_endpoint_is_refused() {
        let error = settings(&[("ROLLBAR_ENDPOINT", "localhost:2000")]).unwrap_err().to_string();
        assert!(
            error.starts_with("ROLLBAR_ENDPOINT is wrong: the endpoint `localhost:2000` does not"),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_port_is_refused() {
        for wrong in ["0", "65535", "65536", "-1", "http", "80 80"] {
            assert_eq!(settings(&[("PORT", wrong)]), Err(SettingsError::Port(wrong.into())));
        }
    }

    #[test]
    fn a_wrong_daemon_address_is_refused() {
        let error = settings(&[("AWS_XRAY_DAEMON_ADDRESS", "nonsense")]).unwrap_err().to_string();
        assert!(error.starts_with("AWS_XRAY_DAEMON_ADDRESS is not a daemon address: `nonsense`"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_utf_8_is_named() {
        use std::os::unix::ffi::OsStringExt as _;
        let read =
            Settings::from_lookup(|name| (name == "AWS_XRAY_URL").then(|| OsString::from_vec(vec![0xff])));
        assert_eq!(read, Err(SettingsError::NotUtf8("AWS_XRAY_URL")));
    }
}
