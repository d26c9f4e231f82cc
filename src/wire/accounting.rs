//! The API of accounting: who saw what, and its proof.

use uuid::Uuid;

use super::route::{ACCOUNTABLE, ALL, ANY, ApiRoute, REVIEW, get, run};
use crate::{
    disclosure::done::{Archive, PlainText},
    error::Error,
    face::call::Call,
    ledger::evidence::{Consistency, Evidence, ProvedEntry},
    operations::accounting::{
        export_evidence::{ExportEvidence, export_evidence},
        prove_ledger::{
            ProveConsistency, ProveInclusion, ReadEvidence, ReadWitnessed, prove_consistency, prove_inclusion,
            read_checkpoint, read_evidence, read_key, read_witnessed,
        },
        read_disclosures::{Accounted, Disclosures, PAGE, ReadDisclosures, read_disclosures},
    },
};

const RECORD: (&str, &str) = ("record", "id of a record; left out, all");

pub const ROUTES: &[ApiRoute] = &[
    get("/v1/disclosures")
        .words("開示の履歴", "Account for disclosures")
        .open_to(ACCOUNTABLE, REVIEW)
        .query(&[
            ("of", "`ours` or `by_us`"),
            ("record", "id of a record; with `ours`"),
            ("before", "`next` of the page before"),
        ])
        .answers::<Disclosures>()
        .runs(run!(read_disclosures, call => disclosures(&call)?)),
    get("/v1/ledger/checkpoint")
        .words("署名されたチェックポイント", "Signed checkpoint")
        .open_to(ALL, ANY)
        .answers::<PlainText>()
        .runs(run!(read_checkpoint)),
    get("/v1/ledger/witnessed")
        .words("証人が署名した最新のチェックポイント", "Newest checkpoint that witnesses signed")
        .open_to(ALL, ANY)
        .query(&[("witnesses", "how many witnesses must have signed it; left out, one")])
        .answers::<PlainText>()
        .runs(run!(read_witnessed, call => ReadWitnessed {
            witnesses: call.number("witnesses")?.and_then(|needed| usize::try_from(needed).ok()).unwrap_or(1),
        })),
    get("/v1/ledger/key")
        .words("チェックポイントの公開鍵", "Public key of the checkpoints")
        .open_to(ALL, ANY)
        .answers::<PlainText>()
        .runs(run!(read_key)),
    get("/v1/ledger/proofs/inclusion")
        .words("包含証明", "Inclusion proof")
        .open_to(ALL, ANY)
        .query(&[("entry", "id of the entry"), ("size", "size of the tree; left out, the present one")])
        .answers::<ProvedEntry>()
        .runs(run!(prove_inclusion, call => ProveInclusion {
            entry: call.query_id("entry")?.ok_or(Error::NotFound("entry"))?,
            size: unsigned(call.number("size")?),
        })),
    get("/v1/ledger/proofs/consistency")
        .words("一貫性証明", "Consistency proof")
        .open_to(ALL, ANY)
        .query(&[("from", "the smaller size"), ("to", "the larger size; left out, the present one")])
        .answers::<Consistency>()
        .runs(run!(prove_consistency, call => ProveConsistency {
            from: unsigned(call.number("from")?).unwrap_or(0),
            to: unsigned(call.number("to")?),
        })),
    get("/v1/ledger/evidence")
        .words("監査用の証拠一式", "Evidence for an audit")
        .open_to(ACCOUNTABLE, REVIEW)
        .query(&[RECORD, ("from", "size of an earlier tree")])
        .answers::<Evidence>()
        .runs(run!(read_evidence, call => ReadEvidence {
            from: unsigned(call.number("from")?),
            record: call.query_id("record")?,
        })),
    get("/v1/ledger/bundle")
        .words("署名された証拠の束", "Signed bundle of evidence")
        .open_to(ACCOUNTABLE, REVIEW)
        .query(&[RECORD])
        .answers::<Archive>()
        .runs(run!(export_evidence, call => ExportEvidence { record: call.query_id("record")? })),
];

fn unsigned(number: Option<i64>) -> Option<u64> {
    number.and_then(|number| u64::try_from(number).ok())
}

fn disclosures(call: &Call) -> Result<ReadDisclosures, Error> {
    let id = |field: &'static str, text: Option<&String>| {
        text.map(|text| {
            Uuid::parse_str(text)
                .map_err(|_| Error::field(field, "番号（UUID）を指定してください。", "must be an id (UUID)"))
        })
        .transpose()
    };
    let before = id("before", call.query.get("before"))?.unwrap_or(Uuid::max());
    let record = id("record", call.query.get("record"))?;
    let of = match (call.query.get("of").map_or("ours", String::as_str), record) {
        ("ours", None) => Accounted::Ours,
        ("ours", Some(record)) => Accounted::Record(record),
        ("by_us", None) => Accounted::ByUs,
        _ => {
            return Err(Error::field(
                "of",
                "ours 又は by_us を指定してください。record は ours のときだけ指定できます。",
                "must be ours or by_us; record goes with ours alone",
            ));
        }
    };
    Ok(ReadDisclosures { of, before, most: PAGE })
}
