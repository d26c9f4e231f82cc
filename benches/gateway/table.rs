//! What is printed.

/// Latencies of one line of the table, in microseconds.
pub struct Line {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    pub per_second: f64,
    /// Microseconds of server CPU for each request.
    pub cpu: Option<f64>,
    /// Ledger entries in each commit.
    pub per_commit: Option<f64>,
}

impl Line {
    /// Of the microseconds that each took and the seconds that all took.
    pub fn of(mut micros: Vec<f64>, seconds: f64) -> Self {
        micros.sort_by(f64::total_cmp);
        let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
        let per_second = micros.len() as f64 / seconds;
        Self { p50: at(0.5), p99: at(0.99), p999: at(0.999), per_second, cpu: None, per_commit: None }
    }

    pub fn print(&self, name: &str, clients: usize) {
        let optional = |value: Option<f64>| value.map_or_else(|| "—".to_owned(), |value| format!("{value:.1}"));
        println!(
            "{name:<38} {clients:>7} {:>10.0} {:>10.0} {:>10.0} {:>12} {:>14}",
            self.p50,
            self.p99,
            self.per_second,
            optional(self.cpu),
            optional(self.per_commit)
        );
    }
}

pub fn head() {
    println!(
        "{:<38} {:>7} {:>10} {:>10} {:>10} {:>12} {:>14}",
        "", "clients", "p50 µs", "p99 µs", "per second", "CPU µs each", "entries/commit"
    );
}

pub fn ratio(what: &str, value: f64, wanted: &str) {
    println!("{what:<72} {value:>8.2}   wanted {wanted}");
}

/// Of what there is to be none.
pub fn count(what: &str, value: usize) {
    println!("{what:<72} {value:>8}   wanted 0");
}
