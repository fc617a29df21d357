//! `GetSamplingTargets`: clients report what they did, and are told how much they may record.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use super::clients::{Client, Clients};
use super::member::{InvalidMember, Members};
use super::rule::MAX_NAME;
use super::timestamp::{Timestamp, is_time};

/// The most documents of a call, as in X-Ray's API.
pub(super) const MAX_DOCUMENTS: usize = 25;

/// How long a quota is good. X-Ray gives 300 seconds; here a changed rule is to be felt soon.
pub(super) const QUOTA_TTL: Duration = Duration::from_secs(30);

/// Seconds until a client reports again.
const INTERVAL: u32 = 10;

/// A client that reported no request for so long has no part in the reservoir any more.
const ACTIVE: Duration = Duration::from_secs(30);

/// X-Ray's SDKs fetch the rules anew on a code that begins with 4, and only log one that begins with 5.
const UNKNOWN_RULE: &str = "404";

/// What a client reports of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Report<'a> {
    pub(super) rule: &'a str,
    pub(super) client: [u8; 12],
    pub(super) requests: u64,
    pub(super) sampled: u64,
    pub(super) borrowed: u64,
}

/// Reads the reports of a call. Several by one client on one rule are made one, in the place of the first.
pub(super) fn reports(request: &Map<String, Value>) -> Result<Vec<Report<'_>>, InvalidMember> {
    const DOCUMENTS: &str = "SamplingStatisticsDocuments";
    let members = Members::outermost(request);
    let documents = members
        .list(DOCUMENTS, MAX_DOCUMENTS)?
        .ok_or_else(|| members.invalid(DOCUMENTS, "an array of at most 25 documents"))?;
    let mut reports: Vec<Report<'_>> = Vec::with_capacity(documents.len());
    for (index, document) in documents.iter().enumerate() {
        let new = report(document, &format!("{DOCUMENTS}[{index}]"))?;
        match reports.iter_mut().find(|known| known.rule == new.rule && known.client == new.client) {
            Some(known) => {
                known.requests = known.requests.saturating_add(new.requests);
                known.sampled = known.sampled.saturating_add(new.sampled);
                known.borrowed = known.borrowed.saturating_add(new.borrowed);
            }
            None => reports.push(new),
        }
    }
    check_boosts(&members)?;
    Ok(reports)
}

fn report<'a>(document: &'a Value, path: &str) -> Result<Report<'a>, InvalidMember> {
    let members = Members::of(document, path.to_owned())?;
    let rule = members.text("RuleName", 1..=MAX_NAME)?;
    let client = members
        .get("ClientID")
        .and_then(Value::as_str)
        .and_then(client_id)
        .ok_or_else(|| members.invalid("ClientID", "24 hexadecimal digits"))?;
    check_time(&members)?;
    let count = |name| members.whole(name, 0..=u64::MAX);
    let (requests, sampled) = (count("RequestCount")?, count("SampledCount")?);
    let borrowed = members.get("BorrowCount").map_or(Ok(0), |_| count("BorrowCount"))?;
    Ok(Report { rule, client, requests, sampled, borrowed })
}

/// Nothing is boosted here, but what X-Ray refuses is refused.
fn check_boosts(members: &Members<'_>) -> Result<(), InvalidMember> {
    const DOCUMENTS: &str = "SamplingBoostStatisticsDocuments";
    for (index, document) in members.list(DOCUMENTS, MAX_DOCUMENTS)?.unwrap_or_default().iter().enumerate() {
        let members = Members::of(document, format!("{DOCUMENTS}[{index}]"))?;
        members.text("RuleName", 1..=MAX_NAME)?;
        members.text("ServiceName", 0..=64)?;
        check_time(&members)?;
        for count in ["AnomalyCount", "TotalCount", "SampledAnomalyCount"] {
            members.whole(count, 0..=u64::MAX)?;
        }
    }
    Ok(())
}

fn check_time(members: &Members<'_>) -> Result<(), InvalidMember> {
    match members.get("Timestamp") {
        Some(time) if is_time(time) => Ok(()),
        _ => Err(members.invalid("Timestamp", "seconds since 1970, or a time of ISO 8601")),
    }
}

fn client_id(text: &str) -> Option<[u8; 12]> {
    let digits: [u8; 24] = text.as_bytes().try_into().ok()?;
    let mut id = [0; 12];
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok())?;
            *byte = *byte << 4 | value;
        }
    }
    Some(id)
}

/// The part of a client in the reservoir of a rule.
///
/// The reservoir is split evenly over the clients that reported a request in the last [`ACTIVE`] seconds, and what is
/// left over goes to the busiest of them: the one with the most requests in its last report, of equals the one with the
/// lowest id. Where no client had a request, it is split in the same way over all that reported, so that the first
/// request after a quiet time finds a reservoir.
pub(super) fn quota(clients: &Clients, id: [u8; 12], reservoir: u32, now: Timestamp) -> u32 {
    let busy = |client: &Client| client.busy_at.is_some_and(|at| at.is_within(ACTIVE, now));
    let any_busy = clients.iter().any(|(_, client)| busy(client));
    let takes_part =
        |client: &Client| if any_busy { busy(client) } else { client.seen_at.is_within(ACTIVE, now) };
    if !clients.get(id).is_some_and(takes_part) {
        return 0;
    }
    let (mut parties, mut busiest) = (0_u32, None);
    for (id, client) in clients.iter().filter(|(_, client)| takes_part(client)) {
        parties = parties.saturating_add(1);
        busiest = busiest.max(Some((client.requests, std::cmp::Reverse(*id))));
    }
    let share = reservoir / parties.max(1);
    match busiest {
        Some((_, std::cmp::Reverse(busiest))) if busiest == id => reservoir - share * (parties.max(1) - 1),
        _ => share,
    }
}

/// How much of one rule a client may record.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SamplingTarget<'a> {
    rule_name: &'a str,
    fixed_rate: f64,
    reservoir_quota: u32,
    #[serde(rename = "ReservoirQuotaTTL")]
    reservoir_quota_ttl: Timestamp,
    interval: u32,
}

impl<'a> SamplingTarget<'a> {
    pub(super) fn new(rule_name: &'a str, fixed_rate: f64, reservoir_quota: u32, now: Timestamp) -> Self {
        let reservoir_quota_ttl = now.plus(QUOTA_TTL);
        Self { rule_name, fixed_rate, reservoir_quota, reservoir_quota_ttl, interval: INTERVAL }
    }
}

/// A report that nothing can be done with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Unprocessed<'a> {
    rule_name: &'a str,
    error_code: &'static str,
    message: &'static str,
}

impl<'a> Unprocessed<'a> {
    pub(super) fn unknown_rule(rule_name: &'a str) -> Self {
        let message = "there is no sampling rule of this name; GetSamplingRules has those that there are";
        Self { rule_name, error_code: UNKNOWN_RULE, message }
    }
}

/// The answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SamplingTargets<'a> {
    pub(super) sampling_target_documents: Vec<SamplingTarget<'a>>,
    pub(super) last_rule_modification: Timestamp,
    pub(super) unprocessed_statistics: Vec<Unprocessed<'a>>,
    /// Always empty: nothing is boosted here.
    pub(super) unprocessed_boost_statistics: [(); 0],
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use proptest::prelude::*;
    use serde_json::json;

    use super::super::clients::MAX_CLIENTS;
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::of(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    fn id(number: u32) -> [u8; 12] {
        let mut id = [0; 12];
        id[8..].copy_from_slice(&number.to_be_bytes());
        id
    }

    fn clients(reports: &[(u32, u64, u64)]) -> Clients {
        let mut clients = Clients::default();
        for (client, requests, seconds) in reports {
            clients.report(id(*client), *requests, at(*seconds));
        }
        clients
    }

    #[test]
    fn the_reservoir_is_split_over_the_active_clients() {
        // Client, requests, when; then the quotas of clients 1 to 3 at second 100 of a reservoir of 5.
        type Table<'a> = &'a [(&'a [(u32, u64, u64)], [u32; 3])];
        let table: Table<'_> = &[
            (&[], [0, 0, 0]),
            (&[(1, 1, 100)], [5, 0, 0]),
            (&[(1, 9, 100), (2, 1, 100)], [3, 2, 0]),
            (&[(1, 1, 100), (2, 9, 100)], [2, 3, 0]),
            (&[(1, 7, 100), (2, 7, 100)], [3, 2, 0]),
            (&[(1, 1, 100), (2, 2, 100), (3, 3, 100)], [1, 1, 3]),
            // The edge of the thirty seconds.
            (&[(1, 1, 70), (2, 9, 100)], [2, 3, 0]),
            (&[(1, 1, 69), (2, 9, 100)], [0, 5, 0]),
            // A report without requests keeps nobody active, and makes nobody active where others are.
            (&[(1, 1, 69), (1, 0, 100), (2, 9, 100)], [0, 5, 0]),
            (&[(1, 4, 90), (1, 0, 100), (2, 2, 100)], [3, 2, 0]),
            (&[(1, 0, 100), (2, 2, 100)], [0, 5, 0]),
            // Nobody had a request.
            (&[(1, 0, 100)], [5, 0, 0]),
            (&[(1, 0, 100), (2, 0, 100)], [3, 2, 0]),
            (&[(1, 0, 69), (2, 0, 100)], [0, 5, 0]),
            // A clock that was set back by an hour.
            (&[(1, 1, 3_700), (2, 2, 100)], [0, 5, 0]),
        ];
        for (reports, expected) in table {
            let clients = clients(reports);
            assert_eq!(
                [1, 2, 3].map(|client| quota(&clients, id(client), 5, at(100))),
                *expected,
                "{reports:?}"
            );
        }
    }

    #[test]
    fn the_one_that_was_silent_the_longest_is_forgotten() {
        let mut clients = Clients::default();
        let most = u32::try_from(MAX_CLIENTS).unwrap();
        for client in 0..most {
            assert!(!clients.report(id(client), 1, at(100 + u64::from(client))));
        }
        assert!(!clients.report(id(0), 1, at(5_000)), "it is known");
        assert!(clients.report(id(most), 1, at(5_000)));
        assert_eq!(clients.len(), MAX_CLIENTS);
        assert!(
            clients.get(id(1)).is_none() && clients.get(id(0)).is_some() && clients.get(id(most)).is_some()
        );
    }

    proptest! {
        #[test]
        fn quotas_add_up_to_the_reservoir_in_any_order(
            mut reports in prop::collection::btree_map(0_u32..40, (any::<u64>(), 60_u64..=100), 1..40)
                .prop_map(|reports| reports.into_iter().map(|(client, (requests, at))| (client, requests, at)).collect::<Vec<_>>()),
            reservoir in prop_oneof![0_u32..50, any::<u32>()],
        ) {
            // At least one takes part.
            reports[0].2 = 100;
            let quotas = |clients: &Clients| -> Vec<u32> {
                (0..40).map(|client| quota(clients, id(client), reservoir, at(100))).collect()
            };
            let first = quotas(&clients(&reports));
            prop_assert_eq!(first.iter().map(|quota| u64::from(*quota)).sum::<u64>(), u64::from(reservoir));
            reports.reverse();
            prop_assert_eq!(&quotas(&clients(&reports)), &first);
            let most = reports.iter().filter(|report| report.1 > 0 && report.2 >= 70).max_by_key(|report| report.1);
            if let Some((busiest, ..)) = most {
                let requests = |client: u32| reports.iter().find(|report| report.0 == client).map_or(0, |report| report.1);
                for (client, quota) in (0..40).zip(&first) {
                    let (own, its) = (usize::try_from(*busiest).unwrap(), requests(*busiest));
                    prop_assert!(*quota <= first[own] || requests(client) >= its);
                }
            }
        }
    }

    fn document() -> Value {
        json!({
            "RuleName": "Default", "ClientID": "0123456789abcdefABCDEF01", "Timestamp": 1_500_000_000,
            "RequestCount": 10, "SampledCount": 5, "BorrowCount": 1,
        })
    }

    fn read(request: &Value) -> Result<usize, InvalidMember> {
        reports(request.as_object().unwrap()).map(|reports| reports.len())
    }

    #[test]
    fn a_report_is_read() {
        let request = json!({ "SamplingStatisticsDocuments": [document()], "Unknown": 1 });
        let read = reports(request.as_object().unwrap()).unwrap();
        let client = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xab, 0xcd, 0xef, 0x01];
        assert_eq!(read, [Report { rule: "Default", client, requests: 10, sampled: 5, borrowed: 1 }]);
    }

    #[test]
    fn reports_of_one_client_on_one_rule_are_one() {
        let mut other = document();
        other["ClientID"] = json!("000000000000000000000001");
        let mut upper = document();
        upper["ClientID"] = json!("0123456789ABCDEFABCDEF01");
        let request = json!({ "SamplingStatisticsDocuments": [document(), other, upper] });
        let reports = reports(request.as_object().unwrap()).unwrap();
        assert_eq!(reports.iter().map(|report| report.requests).collect::<Vec<_>>(), [20, 10]);
        assert_eq!((reports[0].sampled, reports[0].borrowed), (10, 2));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = [
            ("RuleName", json!(null)),
            ("RuleName", json!("")),
            ("RuleName", json!("x".repeat(33))),
            ("ClientID", json!(null)),
            ("ClientID", json!("0123456789abcdef0123456")),
            ("ClientID", json!("0123456789abcdef012345678")),
            ("ClientID", json!("0123456789abcdef0123456g")),
            ("ClientID", json!("+123456789abcdef01234567")),
            ("Timestamp", json!(null)),
            ("Timestamp", json!("now")),
            ("RequestCount", json!(null)),
            ("RequestCount", json!(-1)),
            ("RequestCount", json!(1.5)),
            ("SampledCount", json!(null)),
            ("SampledCount", json!("1")),
            ("BorrowCount", json!(-1)),
        ];
        for (member, value) in wrong {
            let mut bad = document();
            bad[member] = value;
            let error = read(&json!({ "SamplingStatisticsDocuments": [document(), bad] })).expect_err(member);
            assert_eq!(error.path(), format!("SamplingStatisticsDocuments[1].{member}"));
        }
        let mut good = document();
        good["BorrowCount"] = json!(null);
        good["Timestamp"] = json!("2026-11-25T03:25:35Z");
        assert_eq!(read(&json!({ "SamplingStatisticsDocuments": [good] })), Ok(1));
        assert_eq!(read(&json!({ "SamplingStatisticsDocuments": [] })), Ok(0));
        for request in [
            json!({}),
            json!({ "SamplingStatisticsDocuments": null }),
            json!({ "SamplingStatisticsDocuments": {} }),
            json!({ "SamplingStatisticsDocuments": vec![document(); 26] }),
        ] {
            assert_eq!(read(&request).unwrap_err().path(), "SamplingStatisticsDocuments");
        }
        let error = read(&json!({ "SamplingStatisticsDocuments": [1] })).unwrap_err();
        assert_eq!(error.path(), "SamplingStatisticsDocuments[0]");
    }

    #[test]
    fn boosts_are_checked() {
        let boost = json!({
            "RuleName": "a", "ServiceName": "b", "Timestamp": 1, "AnomalyCount": 1, "TotalCount": 2,
            "SampledAnomalyCount": 0,
        });
        let request = |boosts: Value| json!({ "SamplingStatisticsDocuments": [], "SamplingBoostStatisticsDocuments": boosts });
        assert_eq!(read(&request(json!([boost]))), Ok(0));
        let mut bad = boost.clone();
        bad["TotalCount"] = json!(-1);
        let error = read(&request(json!([bad]))).unwrap_err();
        assert_eq!(error.path(), "SamplingBoostStatisticsDocuments[0].TotalCount");
        assert!(read(&request(json!(vec![boost; 26]))).is_err());
    }
}
