//! What a replica counts, by which names: through the `metrics` facade.

use std::time::Duration;

const CONNECTED: &str = "vtc_replica_connected";
const OTHERS: &str = "vtc_replica_others";
const AGE: &str = "vtc_replica_exchange_age_seconds";
const EXCHANGES: &str = "vtc_replica_exchanges_total";
const ROWS: &str = "vtc_replica_rows_total";
const BYTES: &str = "vtc_replica_log_bytes_total";
const REWRITES: &str = "vtc_replica_rewrites_total";

/// An exchange succeeded.
pub fn exchanged(rows_out: u64, rows_in: u64, bytes_out: u64, bytes_in: u64, rewrites: bool, others: usize) {
    metrics::gauge!(CONNECTED).set(1.0);
    metrics::gauge!(OTHERS).set(others as f64);
    metrics::counter!(EXCHANGES, "outcome" => "ok").increment(1);
    metrics::counter!(ROWS, "direction" => "out").increment(rows_out);
    metrics::counter!(ROWS, "direction" => "in").increment(rows_in);
    metrics::counter!(BYTES, "direction" => "out").increment(bytes_out);
    metrics::counter!(BYTES, "direction" => "in").increment(bytes_in);
    metrics::counter!(REWRITES).increment(u64::from(rewrites));
}

/// One failed, or did not come about.
pub fn failed(others: usize) {
    metrics::gauge!(CONNECTED).set(0.0);
    metrics::gauge!(OTHERS).set(others as f64);
    metrics::counter!(EXCHANGES, "outcome" => "failed").increment(1);
}

/// How long ago the last one succeeded; infinitely long, if none ever did.
pub fn age(age: Option<Duration>) {
    metrics::gauge!(AGE).set(age.map_or(f64::INFINITY, |age| age.as_secs_f64()));
}

/// Says what they mean.
pub fn describe() {
    metrics::describe_gauge!(
        CONNECTED,
        "Whether the last exchange with Redis succeeded: 1, or 0 while this replica goes on alone"
    );
    metrics::describe_gauge!(OTHERS, "How many other replicas are there");
    metrics::describe_gauge!(
        AGE,
        metrics::Unit::Seconds,
        "How long ago the last exchange with Redis succeeded"
    );
    metrics::describe_counter!(EXCHANGES, "Exchanges with Redis, by outcome: ok, or failed");
    metrics::describe_counter!(
        ROWS,
        "Rows exchanged with other replicas, by direction: one for each user, bucket and change"
    );
    metrics::describe_counter!(
        BYTES,
        metrics::Unit::Bytes,
        "Bytes of the replicas' log, by direction; a replica reads its own, too"
    );
    metrics::describe_counter!(
        REWRITES,
        "How often Redis had lost something of this replica, so that it wrote everything anew"
    );
}
