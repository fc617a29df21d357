//! The pod of EKS that the program runs in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use super::metadata::Client;
use super::{MAX_BYTES, Platform, Plugin, PluginError, host_name, json, read_file};

/// The API of the cluster, as pods reach it.
const ENDPOINT: &str = "https://kubernetes.default.svc";

/// Where Kubernetes puts the credentials of a pod.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The config map of Container Insights, which knows the name of the cluster.
const CLUSTER_INFO: &str = "/api/v1/namespaces/amazon-cloudwatch/configmaps/cluster-info";

/// Hexadecimal digits of a container's id.
const CONTAINER_ID: usize = 64;

/// Amazon EKS: `pod` (the host's name), `container_id` (of the control groups) and `cluster_name` as `aws.eks`, and the group of
/// logs that Container Insights has for the cluster; origin `AWS::EKS::Container`.
///
/// The name of the cluster is that of the config map `cluster-info` in the namespace `amazon-cloudwatch`, which Container Insights
/// makes. The pod's service account has to be allowed to read it; where it is not, the rest is known all the same. A program with no
/// service account is not in a pod.
#[derive(Debug, Clone)]
pub struct EksPlugin {
    endpoint: String,
    service_account: PathBuf,
    control_groups: PathBuf,
}

impl Default for EksPlugin {
    fn default() -> Self {
        Self::new()
    }
}

impl EksPlugin {
    /// Asks the API of the cluster, with the credentials of the pod.
    pub fn new() -> Self {
        Self {
            endpoint: ENDPOINT.into(),
            service_account: SERVICE_ACCOUNT.into(),
            control_groups: "/proc/self/cgroup".into(),
        }
    }

    /// Asks this address instead of `https://kubernetes.default.svc`.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        let endpoint: String = endpoint.into();
        self.endpoint = endpoint.trim_end_matches('/').to_owned();
        self
    }

    /// Takes `token` and `ca.crt` from this folder instead of `/var/run/secrets/kubernetes.io/serviceaccount`.
    #[must_use]
    pub fn service_account(mut self, folder: impl Into<PathBuf>) -> Self {
        self.service_account = folder.into();
        self
    }

    /// Reads the container's id from this file instead of `/proc/self/cgroup`.
    #[must_use]
    pub fn control_groups(mut self, file: impl Into<PathBuf>) -> Self {
        self.control_groups = file.into();
        self
    }

    fn cluster_name(&self) -> Result<String, PluginError> {
        let token = read_file(&self.service_account.join("token"))?;
        let token = String::from_utf8_lossy(&token);
        let client = Client::with(tls(&self.service_account.join("ca.crt"))?);
        let url = format!("{}{CLUSTER_INFO}", self.endpoint);
        let map = json(&url, &client.get(&url, &[("authorization", &format!("Bearer {}", token.trim()))])?)?;
        let name = map.get("data").and_then(|data| data.get("cluster.name")).and_then(Value::as_str);
        match name.filter(|name| !name.is_empty()) {
            Some(name) => Ok(name.to_owned()),
            None => Err(PluginError::Answer { what: url, reason: "it has no `cluster.name`".into() }),
        }
    }
}

/// Trusts the cluster's own authority, and no other.
fn tls(ca: &Path) -> Result<TlsConfig, PluginError> {
    let what = || ca.display().to_string();
    let pem = read_file(ca)?;
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(PluginError::Answer { what: what(), reason: error.to_string() }),
        }
    }
    if certificates.is_empty() {
        let reason = if pem.len() as u64 >= MAX_BYTES { "it is too large" } else { "it has no certificate" };
        return Err(PluginError::Answer { what: what(), reason: reason.into() });
    }
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::new_with_certs(&certificates))
        .build())
}

/// The id of the container in the text of its control groups: the 64 hexadecimal digits that a line ends with, but for a suffix such
/// as `.scope`. Version 2 of control groups does not tell.
fn container_id(control_groups: &str) -> Option<&str> {
    control_groups.lines().find_map(|line| {
        let last = line.rsplit('/').next()?;
        let last = last.split_once('.').map_or(last, |(id, _)| id);
        let (_, id) = last.split_at_checked(last.len().checked_sub(CONTAINER_ID)?)?;
        id.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(id)
    })
}

impl Plugin for EksPlugin {
    fn name(&self) -> &str {
        "eks"
    }

    fn look(&self, platform: &mut Platform) -> Result<(), PluginError> {
        if !self.service_account.join("token").exists() {
            let what = format!("there is no token in {}", self.service_account.display());
            return Err(PluginError::NotHere(what));
        }
        platform.set_origin("AWS::EKS::Container");
        if let Some(pod) = host_name() {
            platform.put("pod", pod);
        }
        if let Ok(text) = read_file(&self.control_groups)
            && let Some(id) = container_id(&String::from_utf8_lossy(&text))
        {
            platform.put("container_id", id);
        }
        let cluster = self.cluster_name()?;
        platform.add_log_group(format!("/aws/containerinsights/{cluster}/application"), None);
        platform.put("cluster_name", cluster);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_is_the_end_of_a_control_group() {
        let id = "0123456789abcdef".repeat(4);
        for text in [
            format!("11:memory:/kubepods/burstable/pod1/{id}\n10:cpu:/x"),
            format!("0::/\n1:name=systemd:/kubepods.slice/cri-containerd-{id}.scope"),
            format!("3:cpu:/docker/{id}"),
        ] {
            assert_eq!(container_id(&text), Some(id.as_str()), "{text}");
        }
        for text in [
            "",
            "0::/",
            "1:cpu:/é",
            "\n\n",
            &format!("1:cpu:/{}", "g".repeat(64)),
            &format!("1:cpu:/{}", "é".repeat(40)),
        ] {
            assert_eq!(container_id(text), None, "{text}");
        }
    }
}
