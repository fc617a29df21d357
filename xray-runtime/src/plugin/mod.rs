//! Plugins: find out where the program runs, for the `aws` block and the `origin` of its segments.

mod beanstalk;
mod cloudwatch_logs;
mod ec2;
mod ecs;
#[cfg(feature = "eks")]
mod eks;
mod lookup;
mod metadata;
mod platform;

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use beanstalk::BeanstalkPlugin;
pub use cloudwatch_logs::CloudWatchLogsPlugin;
pub use ec2::Ec2Plugin;
pub use ecs::EcsPlugin;
#[cfg(feature = "eks")]
pub use eks::EksPlugin;
pub(crate) use lookup::Lookup;
pub use platform::Platform;

/// Finds out where the program runs. Given to [`RecorderBuilder::plugin`](crate::RecorderBuilder::plugin).
///
/// A plugin is asked once for each recorder, on a thread of its own, when the first segment begins: neither the start of
/// the program nor a segment waits for it. Documents that are written after it has answered say what it found.
///
/// ```
/// use std::time::Duration;
/// use xray_runtime::{Platform, Plugin, PluginError, Recorder};
///
/// #[derive(Debug)]
/// struct AppRunner;
///
/// impl Plugin for AppRunner {
///     fn name(&self) -> &str {
///         "app_runner"
///     }
///
///     fn look(&self, platform: &mut Platform) -> Result<(), PluginError> {
///         platform.set_origin("AWS::AppRunner::Service");
///         platform.put("service_name", "orders");
///         Ok(())
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (recorder, captured) = Recorder::builder().plugin(AppRunner).in_memory()?;
/// assert!(recorder.wait_for_plugins(Duration::from_secs(5)));
/// recorder.begin_segment("job").end();
/// let segment = captured.segment("job");
/// assert_eq!(segment.json()["origin"], "AWS::AppRunner::Service");
/// assert_eq!(segment.json()["aws"]["app_runner"]["service_name"], "orders");
/// # Ok(())
/// # }
/// ```
pub trait Plugin: Debug + Send + Sync {
    /// The member of `aws` that holds what it puts, such as `ec2`. Asked once, when the recorder is built. Not `xray` and not
    /// `cloudwatch_logs`: what is put under these is left out.
    fn name(&self) -> &str;

    /// Looks, and says what it has found.
    ///
    /// It may block. Where it fails it is asked again, three times in all, each time with an empty platform; after the
    /// third time what it has put counts all the same.
    ///
    /// # Errors
    /// Where it could not find out. [`PluginError::NotHere`] is final.
    fn look(&self, platform: &mut Platform) -> Result<(), PluginError>;
}

/// Why a plugin found nothing, or not all.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PluginError {
    /// The program runs elsewhere.
    #[error("the program does not run there: {0}")]
    NotHere(String),
    /// A file could not be read.
    #[error("{} cannot be read: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An endpoint did not answer.
    #[error("{url} does not answer: {reason}")]
    Call {
        /// Which.
        url: String,
        /// Why.
        reason: String,
    },
    /// An endpoint refused.
    #[error("{url} answers with status {status}")]
    Status {
        /// Which.
        url: String,
        /// With what.
        status: u16,
    },
    /// What was read makes no sense.
    #[error("{what} is not what it should be: {reason}")]
    Answer {
        /// The address or the path that it came from.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Bytes of an answer or a file that are read.
const MAX_BYTES: u64 = 64 * 1024;

/// Reads a file, with a bound; `NotHere` where there is none.
fn read_file(path: &Path) -> Result<Vec<u8>, PluginError> {
    use std::io::Read;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => PluginError::NotHere(format!("there is no {}", path.display())),
        _ => PluginError::File { path: path.to_owned(), source },
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(failed)?.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Reads JSON that came from `what`.
fn json(what: &str, bytes: &[u8]) -> Result<serde_json::Map<String, serde_json::Value>, PluginError> {
    serde_json::from_slice(bytes)
        .map_err(|error| PluginError::Answer { what: what.to_owned(), reason: error.to_string() })
}

/// A value of the environment that says something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// The name of the host: in a container of ECS its id, in one of Kubernetes the pod's name.
fn host_name() -> Option<String> {
    nix::unistd::gethostname().ok()?.into_string().ok().filter(|name| !name.is_empty())
}
