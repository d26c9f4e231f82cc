//! Ways to cheat the gate from inside the crate. Compiled only with `--cfg tsunagi_cheats=…`, by the test that expects
//! each of them to be refused with the code named above it. `honest` is the twin: it must compile.

#![allow(dead_code, unused_variables, clippy::all)]

/// Refused by the type checker.
#[cfg(tsunagi_cheats = "types")]
mod types {
    use crate::{
        disclosure::{done::Done, gate::Disclosed, sealed::Sealed, view::RecordView},
        domain::format::Document,
        face::{answer::Answer, call::Call},
        journal::writer::Receipt,
        wire::answer::IntoAnswer,
    };

    // honest
    fn passing_a_sealed_value_on(sealed: Sealed<Document>) -> Sealed<Document> {
        sealed
    }

    // E0624
    fn opening_a_seal(sealed: Sealed<Document>) -> Document {
        sealed.open()
    }

    // E0624
    fn peeking_under_a_seal(sealed: &Sealed<Document>) -> &Document {
        sealed.peek()
    }

    // E0616
    fn reaching_into_a_seal(sealed: Sealed<Document>) -> Document {
        sealed.0
    }

    // E0277
    fn serialising_a_sealed_record(sealed: &Sealed<Document>) -> String {
        serde_json::to_string(sealed).unwrap_or_default()
    }

    // E0277
    fn serialising_a_raw_record(document: &Document) -> String {
        serde_json::to_string(document).unwrap_or_default()
    }

    // E0277
    fn printing_a_sealed_record(sealed: &Sealed<Document>) -> String {
        format!("{sealed:?}")
    }

    // E0624
    fn disclosing_without_the_gate(document: Document, receipt: Receipt) -> Disclosed<Document> {
        Disclosed::new(document, receipt)
    }

    // E0277
    fn saying_that_a_record_carries_no_record_data(document: Document, receipt: Receipt) -> Done<Document> {
        Done::new(document, &receipt)
    }

    // E0277
    fn disclosing_a_record_as_a_fact_beside_another(disclosed: Disclosed<()>, document: Document) {
        disclosed.with(document);
    }

    // E0599
    fn answering_with_what_is_not_disclosed(document: Document, call: &Call) -> Answer {
        document.into_answer(call)
    }

    // E0599
    fn answering_with_a_sealed_record(sealed: Sealed<RecordView>, call: &Call) -> Answer {
        sealed.into_answer(call)
    }

    // E0308
    fn carrying_a_record_out_of_a_seal(sealed: Sealed<Document>) -> Option<Document> {
        let mut carried = None;
        sealed.is(|document| {
            carried = Some(document.clone());
            true
        });
        carried
    }

    // E0004
    fn forgetting_an_item_group(group: crate::domain::visibility::ItemGroup) -> bool {
        match group {
            crate::domain::visibility::ItemGroup::Index => true,
        }
    }
}

/// Refused by the check of privacy, which runs once types are right.
#[cfg(tsunagi_cheats = "fields")]
mod fields {
    use crate::{disclosure::grant::Grant, journal::writer::Receipt};

    // honest
    fn passing_a_receipt_on(receipt: Receipt) -> Receipt {
        receipt
    }

    // E0451
    fn building_a_receipt() -> Receipt {
        Receipt { entries: Vec::new() }
    }

    // E0451
    fn granting_oneself(grant: Grant) -> Grant {
        Grant {
            groups: crate::domain::visibility::GroupSet::of(crate::domain::visibility::ItemGroup::ALL.iter().copied()),
            ..grant
        }
    }
}
