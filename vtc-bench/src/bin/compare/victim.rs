//! The client that has most to lose: who asks for little.

use std::collections::BTreeMap;

use vtc_sim::workload::Workload;

/// A 99th percentile of fewer requests would be chance.
const REQUESTS: u64 = 50;

/// The client that asks for the least service per weight, of those with enough requests for a percentile; the first of
/// several. By the first seed, so that it is the same for all.
pub fn of(workload: &Workload) -> Option<u32> {
    let mut asked: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for request in workload.arrivals(1) {
        let (requests, service) = asked.entry(request.client).or_default();
        *requests += 1;
        *service += request.input + 2 * request.output;
    }
    let weight = |client: u32| workload.clients.get(client as usize).map_or(1.0, |of| of.weight.as_f64());
    let enough = asked.into_iter().filter(|(_, (requests, _))| *requests >= REQUESTS);
    let by_weight = enough.map(|(client, (_, service))| (client, service as f64 / weight(client)));
    by_weight.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(client, _)| client)
}
