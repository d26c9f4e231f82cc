//! What a server counts, for `/metrics`. No personal data, no ids.

use std::sync::{PoisonError, atomic::Ordering};

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::{gateway::Gateway, identity::verifier::ListEnd};

/// Counters and histograms of a server.
pub struct Metrics {
    registry: Registry,
    /// Requests by operation and status.
    pub requests: IntCounterVec,
    /// Seconds by operation.
    pub seconds: HistogramVec,
    pub connections: IntGauge,
    pub handshake_failures: IntCounter,
    pub shed: IntCounter,
    pub trust_reload_failures: IntCounter,
    journal_commits: IntGauge,
    journal_entries: IntGauge,
    witness_lag: IntGaugeVec,
    witness_disagrees: IntGaugeVec,
    keys_left: IntGauge,
    set_aside: IntGaugeVec,
    /// 1 while a revocation list is past its date.
    pub expired_lists: IntGauge,
    list_until: IntGaugeVec,
    /// Unix time at which the server's own certificate ends.
    pub certificate_until: IntGauge,
    pub certificate_reload_failures: IntCounter,
    /// Seconds by which the system's clock is ahead of the gateway's, where it is not followed.
    pub clock_off: IntGauge,
}

impl Metrics {
    /// # Errors
    /// A metric's name is not allowed.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let requests =
            IntCounterVec::new(Opts::new("tsunagi_requests_total", "Requests answered"), &["operation", "status"])?;
        let seconds = HistogramVec::new(
            HistogramOpts::new("tsunagi_request_seconds", "Time from headers to answer")
                .buckets(vec![0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0]),
            &["operation"],
        )?;
        let connections = IntGauge::new("tsunagi_connections", "Open connections")?;
        let handshake_failures = IntCounter::new("tsunagi_handshake_failures_total", "Connections refused in TLS")?;
        let shed = IntCounter::new("tsunagi_shed_total", "Requests answered 503 because of load")?;
        let trust_reload_failures =
            IntCounter::new("tsunagi_trust_reload_failures_total", "CA or revocation list that was not taken")?;
        let expired_lists = IntGauge::new("tsunagi_revocation_list_expired", "A revocation list is past its date")?;
        let list_until = IntGaugeVec::new(
            Opts::new("tsunagi_revocation_list_until", "Unix time at which the revocation list of a CA ends"),
            &["issuer"],
        )?;
        registry.register(Box::new(list_until.clone()))?;
        let certificate_reload_failures = IntCounter::new(
            "tsunagi_certificate_reload_failures_total",
            "New certificate of the server that was not taken",
        )?;
        registry.register(Box::new(certificate_reload_failures.clone()))?;
        let certificate_until =
            IntGauge::new("tsunagi_certificate_until", "Unix time at which the server's certificate ends")?;
        let clock_off = IntGauge::new("tsunagi_clock_off_seconds", "How far the system's clock was moved")?;
        registry.register(Box::new(certificate_until.clone()))?;
        registry.register(Box::new(clock_off.clone()))?;
        let journal_commits = IntGauge::new("tsunagi_journal_commits", "Transactions committed since the start")?;
        let journal_entries = IntGauge::new("tsunagi_journal_entries", "Ledger entries committed since the start")?;
        let witness_lag = IntGaugeVec::new(
            Opts::new("tsunagi_witness_lag_entries", "Ledger entries that a witness has not signed yet"),
            &["witness"],
        )?;
        let witness_disagrees = IntGaugeVec::new(
            Opts::new("tsunagi_witness_disagrees", "A witness holds a tree that the ledger does not contain"),
            &["witness"],
        )?;
        registry.register(Box::new(witness_lag.clone()))?;
        registry.register(Box::new(witness_disagrees.clone()))?;
        let keys_left = IntGauge::new("tsunagi_record_keys_left", "Records whose keys may have to be wrapped anew")?;
        registry.register(Box::new(keys_left.clone()))?;
        let set_aside = Opts::new("tsunagi_set_aside", "Rows, and records, that are not what the gateway wrote");
        let set_aside = IntGaugeVec::new(set_aside, &["what"])?;
        registry.register(Box::new(set_aside.clone()))?;
        registry.register(Box::new(journal_commits.clone()))?;
        registry.register(Box::new(journal_entries.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(connections.clone()))?;
        registry.register(Box::new(handshake_failures.clone()))?;
        registry.register(Box::new(shed.clone()))?;
        registry.register(Box::new(trust_reload_failures.clone()))?;
        registry.register(Box::new(expired_lists.clone()))?;
        Ok(Self {
            registry,
            requests,
            seconds,
            connections,
            handshake_failures,
            shed,
            trust_reload_failures,
            journal_commits,
            journal_entries,
            witness_lag,
            witness_disagrees,
            keys_left,
            set_aside,
            expired_lists,
            list_until,
            certificate_until,
            certificate_reload_failures,
            clock_off,
        })
    }

    /// Of a CA that has several lists the first end; of one whose list is gone nothing.
    pub(super) fn show_list_ends(&self, mut ends: Vec<ListEnd>) {
        ends.sort_by_key(|end| std::cmp::Reverse(end.until));
        self.list_until.reset();
        for ListEnd { issuer, until } in ends {
            self.list_until.with_label_values(&[&issuer]).set(until.as_micros() / 1_000_000);
        }
    }

    pub(super) fn text(&self, gateway: &Gateway) -> Vec<u8> {
        let (commits, entries) = gateway.journal.counts();
        let size = gateway.journal.memory().tree.read().unwrap_or_else(PoisonError::into_inner).size();
        for (witness, mark) in gateway.witnessed.marks() {
            let lag = size.saturating_sub(mark.size.unwrap_or(0));
            self.witness_lag.with_label_values(&[&witness]).set(i64::try_from(lag).unwrap_or(i64::MAX));
            self.witness_disagrees.with_label_values(&[&witness]).set(i64::from(mark.disagrees));
        }
        let guard = &gateway.journal.memory().guard;
        for (what, count) in [("rows", guard.refuted().len()), ("records", guard.set_aside().values().sum())] {
            self.set_aside.with_label_values(&[what]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let keys_left = gateway.vault.rewrapping.left.load(Ordering::Relaxed);
        self.keys_left.set(i64::try_from(keys_left).unwrap_or(i64::MAX));
        self.journal_commits.set(i64::try_from(commits).unwrap_or(i64::MAX));
        self.journal_entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
        let mut out = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut out) {
            tracing::error!(%error, "metrics cannot be written");
        }
        out
    }
}
