//! The script played to a watch, in the order of time.

use tsunagi::{
    clock::Timestamp,
    search::watch::{Watch, WatchedSearch},
};

use uuid::Uuid;

use super::script::Script;

/// An alert.
pub struct Raised {
    pub rule: &'static str,
    /// Microseconds since 1970.
    pub since: i64,
    pub is_news: bool,
}

/// What each search raised. `told` is asked, with the number of the officer's searches before, whether the watch hears
/// of one.
pub fn replay(script: &Script, told: impl Fn(usize) -> bool) -> Vec<Vec<Raised>> {
    let watch = Watch::default();
    let mut made = vec![0_usize; script.staff.len()];
    let mut raised = Vec::with_capacity(script.events.len());
    for (number, event) in (1..).zip(&script.events) {
        let officer = &script.staff[event.officer];
        let before = made[event.officer];
        made[event.officer] += 1;
        if !told(before) {
            raised.push(Vec::new());
            continue;
        }
        let alerts = watch.observe(WatchedSearch {
            request: Uuid::from_u128(number),
            organization: &officer.organization,
            officer: &officer.id,
            officer_name: &officer.name,
            at: Timestamp::from_micros(event.at),
            query: &event.query,
            case_reference: &event.reference,
            found: event.found.clone(),
        });
        let alerts = alerts.into_iter().map(|alert| Raised {
            rule: alert.rule.as_str(),
            since: alert.since.as_micros(),
            is_news: alert.is_news,
        });
        raised.push(alerts.collect());
    }
    raised
}
