//! Times and memory.

use std::time::Instant;

/// Latencies in microseconds.
#[derive(Clone, Copy)]
pub struct Latencies {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub most: f64,
}

impl Latencies {
    pub fn of<T>(items: &[T], mut act: impl FnMut(&T)) -> Self {
        let micros: Vec<f64> = items
            .iter()
            .map(|item| {
                let started = Instant::now();
                act(item);
                started.elapsed().as_secs_f64() * 1e6
            })
            .collect();
        Self::from(micros)
    }
}

impl From<Vec<f64>> for Latencies {
    fn from(mut micros: Vec<f64>) -> Self {
        micros.sort_by(f64::total_cmp);
        let at = |share: f64| micros.get(((micros.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(0.0);
        Self { p50: at(0.5), p95: at(0.95), p99: at(0.99), most: at(1.0) }
    }
}

/// Memory of this process that is in use, in MiB.
pub fn resident_mib() -> f64 {
    resident_mib_of("self")
}

/// The same of a process by its id.
pub fn resident_mib_of(process: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("0 0");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
