//! A golden twin: a request to the original app, and what came of it.

use std::path::Path;

use serde_json::Value;

/// One file of `golden/xray`.
#[derive(Debug)]
pub(crate) struct Twin {
    /// The two digits that the file's name begins with.
    pub(crate) number: String,
    pub(crate) request: Request,
    pub(crate) golden: Exchange,
}

/// What was sent; nothing is added to the headers.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// What came of a request.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) status: u16,
    /// `X-Amzn-Trace-Id` of the response.
    pub(crate) trace_header: Option<String>,
    /// `X-Amzn-Trace-Id` as the service that was called saw it.
    pub(crate) arrived: Option<String>,
    pub(crate) packets: Vec<Packet>,
}

/// One datagram to the daemon.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) header: Value,
    pub(crate) document: Value,
}

impl Request {
    pub(crate) fn trace_header(&self) -> Option<&str> {
        header(&self.headers, "x-amzn-trace-id")
    }
}

/// The header of this name, in any case.
pub(crate) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// The trace header that the `/echo` of both apps tells in its body.
pub(crate) fn arrived(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    body.get("seen_x_amzn_trace_id")?.as_str().map(str::to_owned)
}

/// The twins of a folder, by number.
pub(crate) fn read_all(dir: &Path) -> Vec<Twin> {
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Twin {
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let (request, response) = (&file["request"], &file["response"]);
    let packets = file["packets"].as_array().unwrap().iter().zip(file["documents"].as_array().unwrap());
    Twin {
        number: text(&file["case"])[..2].to_owned(),
        request: Request {
            method: text(&request["method"]),
            path: text(&request["path"]),
            headers: headers(&request["headers"]),
        },
        golden: Exchange {
            status: response["status"].as_u64().unwrap().try_into().unwrap(),
            trace_header: header(&headers(&response["headers"]), "x-amzn-trace-id").map(str::to_owned),
            arrived: arrived(&text(&response["body"])),
            packets: packets
                .map(|(packet, document)| Packet {
                    header: serde_json::from_str(&text(&packet["header_line"])).unwrap(),
                    document: document.clone(),
                })
                .collect(),
        },
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn headers(value: &Value) -> Vec<(String, String)> {
    value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
}
