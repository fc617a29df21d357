//! The machine and the program.

use serde::Serialize;
use serde_json::{Map, Value};

/// The machine and the program.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Server {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
    /// With no slash at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) root: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code_version: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) project_package_paths: Vec<String>,
    #[serde(flatten)]
    pub(crate) extra: Map<String, Value>,
}

impl Server {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Sets the name of the machine.
    pub fn set_host(&mut self, host: Option<&str>) {
        self.host = host.map(ToOwned::to_owned);
    }

    /// Sets the folder that holds the program's source; a slash at its end is left out.
    pub fn set_root(&mut self, root: Option<&str>) {
        self.root = root.map(|root| root.trim_end_matches('/').to_owned());
    }

    /// Sets the branch of the source.
    pub fn set_branch(&mut self, branch: Option<&str>) {
        self.branch = branch.map(ToOwned::to_owned);
    }

    /// Adds a value of your own.
    pub fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.extra.insert(key.to_owned(), value.into());
    }
}
