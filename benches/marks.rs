//! What it costs to check the rows of one view, without reading them: their marks, what hangs on the record, and what memory
//! remembers. Beside it, in the same run: one HMAC-SHA-256 of as many bytes, and opening the body.
//!
//! `make bench-marks`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark may fail")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use aws_lc_rs::hmac;
use tsunagi::{
    keys::vault::{Key, Place},
    store::rows::{
        guard::RowGuard,
        mark::{Mark, tag_of},
        remembered::ReadWhen,
        row::Values,
        tables::{ATTACHMENTS, PROVISIONS, RECORD_VERSIONS, RECORDS},
    },
};
use uuid::Uuid;

/// How long each is done, and how often; the middle one counts.
const TURN: Duration = Duration::from_millis(200);
const TURNS: usize = 9;
/// Bytes of a record as it is stored, in short.
const BODY: usize = 4_096;

/// The rows of a view: the record, the version, and so many files and provisions.
struct View {
    guard: RowGuard,
    rows: Vec<(Values, Mark)>,
}

impl View {
    fn of(key: &Key, parts: u128) -> Self {
        let guard = RowGuard::new(key, false);
        let id = Uuid::from_u128(1);
        let part = |number| if number % 2 == 0 { attachment(id, number) } else { provision(id, number) };
        let hanging: Vec<Values> = (0..parts).map(part).collect();
        let marks = hanging.iter().map(|row| guard.marker.mark(row)).collect();
        let record = record(id).set("parts", guard.marker.parts(marks).as_slice());
        let marked = |row: Values| (row.clone(), guard.marker.mark(&row));
        let rows: Vec<(Values, Mark)> = [record, version(id)].into_iter().chain(hanging).map(marked).collect();
        let Some((_, mark)) = rows.first() else { unreachable!("there is the record") };
        guard.remembered.remember([(guard.remembered.key(RECORDS.number, &id.to_string()), tag_of(mark))]);
        guard.remembered.complete(RECORDS.number);
        Self { guard, rows }
    }

    /// Every row is what the gateway wrote, and nothing is missing. The rows are given away, as those that were read.
    fn check(&self, rows: Vec<Values>) {
        let mut parts = Vec::with_capacity(rows.len());
        let mut said = None;
        for (row, (_, mark)) in rows.into_iter().zip(&self.rows) {
            let row = self.guard.check(row, Some(mark), ReadWhen::AtSomeTime).unwrap();
            if *row.table() == RECORDS {
                said = Some(row.bytes("parts").unwrap().to_vec());
            } else if *row.table() != RECORD_VERSIONS {
                parts.push(row.mark());
            }
        }
        assert!(said.as_deref() == Some(self.guard.marker.parts(parts).as_slice()));
    }
}

fn record(id: Uuid) -> Values {
    Values::of(&RECORDS)
        .set("id", id)
        .set("prefecture", "12")
        .set("owner", "122327")
        .set("version", 3)
        .set("owned_since", 1_780_000_000_000_000)
        .set("closed", 0)
        .set("serious", 0)
        .set("searchable", 1)
        .set("abuse_case", 1)
        .set("residence", "122327")
        .set("shielded", 0)
        .set("sealed_key", vec![7; 69])
        .set("sealed_index", vec![7; 420])
        .set("registered_at", 1_780_000_000_000_000)
        .set("updated_at", 1_780_000_000_000_000)
}

fn version(record: Uuid) -> Values {
    Values::of(&RECORD_VERSIONS)
        .set("record", record)
        .set("version", 3)
        .set("prefecture", "12")
        .set("organization", "122327")
        .set("officer", "officer-0001")
        .set("change_kind", "update")
        .set("at", 1_780_000_000_000_000)
        .set("sealed_body", vec![7; BODY])
}

fn attachment(record: Uuid, number: u128) -> Values {
    Values::of(&ATTACHMENTS)
        .set("record", record)
        .set("id", Uuid::from_u128(100 + number))
        .set("prefecture", "12")
        .set("media_type", "image/jpeg")
        .set("kind", "photo")
        .set("bytes", 1_000_000)
        .set("withheld", 0)
        .set("at", 1_780_000_000_000_000)
}

fn provision(record: Uuid, number: u128) -> Values {
    Values::of(&PROVISIONS)
        .set("record", record)
        .set("organization", format!("{:06}", 10_006 + number))
        .set("version", 2)
        .set("item_groups", 32_767)
        .set("at", 1_780_000_000_000_000)
}

/// Microseconds of one, in the middle of all turns; what is given to each is made before.
fn micros<T>(make: impl Fn() -> T, mut once: impl FnMut(T)) -> f64 {
    let mut turns: Vec<f64> = (0..TURNS)
        .map(|_| {
            let (mut took, mut done) = (Duration::ZERO, 0_u32);
            while took < TURN {
                let given: Vec<T> = (0..256).map(|_| make()).collect();
                let began = Instant::now();
                given.into_iter().for_each(&mut once);
                took += began.elapsed();
                done += 256;
            }
            took.as_secs_f64() * 1e6 / f64::from(done)
        })
        .collect();
    turns.sort_by(f64::total_cmp);
    turns.get(TURNS / 2).copied().unwrap()
}

fn main() {
    let key = Key::generate().unwrap();
    let place = Place { table: "record_versions", row: &"a row", column: "sealed_body" };
    let sealed = key.seal(place, &vec![7; BODY]).unwrap();
    let opened = micros(|| (), |()| _ = black_box(key.open(place, black_box(&sealed)).unwrap()));
    let digesting = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    println!("{:<44} {:>8} {:>8} {:>14} {:>16}", "rows of a view", "bytes", "µs", "of one HMAC", "of opening it");
    for parts in [0, 3, 10, 30] {
        let view = View::of(&key, parts);
        let rows: Vec<Values> = view.rows.iter().map(|(row, _)| row.clone()).collect();
        let bytes: usize = rows.iter().map(Values::marked_bytes).sum();
        let checked = micros(|| rows.clone(), |rows| view.check(rows));
        let message = vec![7; bytes];
        let digested = micros(|| (), |()| _ = black_box(hmac::sign(&digesting, black_box(&message))));
        let what = format!("the record, its version, {parts} that hang on it");
        let (of_digest, of_opening) = (checked / digested, checked / opened);
        println!("{what:<44} {bytes:>8} {checked:>8.2} {of_digest:>14.2} {of_opening:>16.2}");
    }
    println!("{:<72} {opened:>8.2}", "opening a body of 4 KiB, µs");
    println!("{:<72} {:>8}", "wanted of a record with three that hang on it, µs", "≤ 5");
}
