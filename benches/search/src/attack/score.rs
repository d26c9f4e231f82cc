//! What the alerts come to.
//!
//! A fishing search counts as noticed where an alert covers it: one that it raised, or one that a later search of its
//! campaign raised and whose series reaches back to it. Every alert on a search of ordinary work counts as false, told
//! anew or not, and even where it is about fishing that the same officer did within the hour.

use std::collections::{BTreeMap, BTreeSet};

use tsunagi::search::watch::Rule;

use super::{
    fishing::Kind,
    replay::Raised,
    script::{DAYS, Event, Label, Script, Work},
};

pub struct Score {
    kinds: Vec<OfKind>,
    works: Vec<OfWork>,
    rules: BTreeMap<&'static str, OfRule>,
    /// Alerts on ordinary work that an auditor is told of.
    false_news: usize,
    officer_weeks: f64,
    /// False alarms whose series holds fishing by the same officer.
    beside_fishing: usize,
    namesakes: Namesakes,
}

#[derive(Default)]
struct OfKind {
    searches: usize,
    covered: usize,
    campaigns: usize,
    /// For each campaign noticed, its searches before the first alert.
    before: Vec<usize>,
}

#[derive(Default)]
struct OfWork {
    searches: usize,
    alarmed: usize,
}

#[derive(Default)]
struct OfRule {
    on_fishing: usize,
    campaigns: BTreeSet<usize>,
    on_work: usize,
    false_news: usize,
}

/// Ordinary searches for a child with the officer's own family name.
#[derive(Default)]
struct Namesakes {
    searches: usize,
    own_name: usize,
}

/// A campaign, as it goes on.
#[derive(Default)]
struct Series {
    /// Moments of its searches, and whether an alert covers them.
    searches: Vec<(i64, bool)>,
    before: Option<usize>,
}

impl Score {
    pub fn of(script: &Script, raised: &[Vec<Raised>]) -> Self {
        let mut score = Self {
            kinds: Kind::ALL.iter().map(|_| OfKind::default()).collect(),
            works: Work::ALL.iter().map(|_| OfWork::default()).collect(),
            rules: BTreeMap::new(),
            false_news: 0,
            officer_weeks: script.staff.len() as f64 * DAYS as f64 / 7.0,
            beside_fishing: 0,
            namesakes: Namesakes::default(),
        };
        let mut campaigns: Vec<Series> = script.campaigns.iter().map(|_| Series::default()).collect();
        let fished = moments_of_fishing(script);
        for (event, raised) in script.events.iter().zip(raised) {
            match event.label {
                Label::Fishing(campaign) => score.add_fishing(event, raised, campaign, &mut campaigns[campaign]),
                Label::Work(work) => {
                    let fished = fished.get(&event.officer).map(Vec::as_slice).unwrap_or_default();
                    score.add_work(event, raised, work, fished);
                }
            }
        }
        for (campaign, series) in script.campaigns.iter().zip(campaigns) {
            let of_kind = &mut score.kinds[campaign.kind as usize];
            of_kind.campaigns += 1;
            of_kind.searches += series.searches.len();
            of_kind.covered += series.searches.iter().filter(|(_, covered)| *covered).count();
            of_kind.before.extend(series.before);
        }
        score.kinds.iter_mut().for_each(|of_kind| of_kind.before.sort_unstable());
        score
    }

    fn add_fishing(&mut self, event: &Event, raised: &[Raised], campaign: usize, series: &mut Series) {
        series.searches.push((event.at, false));
        for alert in raised {
            series.before.get_or_insert(series.searches.len() - 1);
            series.searches.iter_mut().filter(|(at, _)| *at >= alert.since).for_each(|(_, covered)| *covered = true);
            let of_rule = self.rules.entry(alert.rule).or_default();
            of_rule.on_fishing += 1;
            of_rule.campaigns.insert(campaign);
        }
    }

    fn add_work(&mut self, event: &Event, raised: &[Raised], work: Work, fished: &[i64]) {
        let of_work = &mut self.works[work as usize];
        of_work.searches += 1;
        of_work.alarmed += usize::from(!raised.is_empty());
        let is_beside = |alert: &Raised| fished.iter().any(|at| (alert.since..=event.at).contains(at));
        self.beside_fishing += usize::from(raised.iter().any(is_beside));
        for alert in raised {
            let of_rule = self.rules.entry(alert.rule).or_default();
            of_rule.on_work += 1;
            of_rule.false_news += usize::from(alert.is_news);
            self.false_news += usize::from(alert.is_news);
        }
        if event.namesake {
            self.namesakes.searches += 1;
            let own_name = raised.iter().any(|alert| alert.rule == Rule::OwnName.as_str());
            self.namesakes.own_name += usize::from(own_name);
        }
    }

    /// The share of fishing searches that an alert covers.
    pub fn recall(&self) -> f64 {
        share(self.kinds.iter().map(|kind| kind.covered).sum(), self.fishing_searches())
    }

    /// The share of ordinary searches that raise an alert.
    pub fn false_alarms(&self) -> f64 {
        share(self.works.iter().map(|work| work.alarmed).sum(), self.work_searches())
    }

    fn fishing_searches(&self) -> usize {
        self.kinds.iter().map(|kind| kind.searches).sum()
    }

    fn work_searches(&self) -> usize {
        self.works.iter().map(|work| work.searches).sum()
    }

    pub fn print(&self) {
        self.print_kinds();
        self.print_works();
        self.print_rules();
    }

    fn print_kinds(&self) {
        println!(
            "{:<24} {:>9} {:>9} {:>10} {:>9} {:>15} {:>12}",
            "fishing", "searches", "recall", "campaigns", "noticed", "before: median", "before: most"
        );
        let mut all = OfKind::default();
        for (kind, of_kind) in Kind::ALL.into_iter().zip(&self.kinds) {
            of_kind.print(kind.name());
            all.searches += of_kind.searches;
            all.covered += of_kind.covered;
            all.campaigns += of_kind.campaigns;
            all.before.extend(&of_kind.before);
        }
        all.before.sort_unstable();
        all.print("all");
    }

    fn print_works(&self) {
        println!("\n{:<24} {:>9} {:>9} {:>9}", "ordinary work", "searches", "alarmed", "share");
        for (work, OfWork { searches, alarmed }) in Work::ALL.into_iter().zip(&self.works) {
            let share = share(*alarmed, *searches) * 100.0;
            println!("{:<24} {searches:>9} {alarmed:>9} {share:>8.2}%", work.name());
        }
        let alarmed: usize = self.works.iter().map(|work| work.alarmed).sum();
        println!("{:<24} {:>9} {alarmed:>9} {:>8.2}%", "all", self.work_searches(), self.false_alarms() * 100.0);
        println!("of these beside fishing by the same officer: {}", self.beside_fishing);
        println!("false news for each officer and week: {:.3}", self.false_news as f64 / self.officer_weeks);
        let Namesakes { searches, own_name } = &self.namesakes;
        println!("children of the officer's own family name in ordinary work: {searches}, taken for kin: {own_name}");
    }

    fn print_rules(&self) {
        println!(
            "\n{:<24} {:>12} {:>18} {:>16} {:>12}",
            "rule", "on fishing", "campaigns noticed", "on ordinary work", "false news"
        );
        for (rule, of_rule) in &self.rules {
            let OfRule { on_fishing, campaigns, on_work, false_news } = of_rule;
            println!("{rule:<24} {on_fishing:>12} {:>18} {on_work:>16} {false_news:>12}", campaigns.len());
        }
        println!();
    }
}

impl OfKind {
    fn print(&self, name: &str) {
        let OfKind { searches, covered, campaigns, before } = self;
        let text = |number: Option<&usize>| number.map_or("-".to_owned(), usize::to_string);
        println!(
            "{name:<24} {searches:>9} {:>8.1}% {campaigns:>10} {:>9} {:>15} {:>12}",
            share(*covered, *searches) * 100.0,
            before.len(),
            text(before.get(before.len() / 2)),
            text(before.last())
        );
    }
}

/// By officer.
fn moments_of_fishing(script: &Script) -> BTreeMap<usize, Vec<i64>> {
    let mut fished: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    for event in &script.events {
        if let Label::Fishing(campaign) = event.label {
            fished.entry(script.campaigns[campaign].officer).or_default().push(event.at);
        }
    }
    fished
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}
