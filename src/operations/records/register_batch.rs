//! Registers a file of many records (一括登録), and reports on it line by line.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::registration::{PreparedRecord, naming_refused, prepare, register};
use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::{
        batch::{BatchLine, BatchReport},
        format::{Document, Fault},
        idempotency::Idempotency,
    },
    error::{Error, RequestError, ServiceError},
    gateway::Gateway,
    identity::Caller,
    journal::journal::Effect,
    ledger::entry::Act,
    operations::{Acting, carry_out},
    store,
};

/// Lines of one batch. They are one transaction: more would keep others waiting.
pub const MAX_LINES: usize = 500;
/// Faults that a report lists beyond the first of each line: the sender mends these and sends again.
const MAX_MORE_FAULTS: usize = 500;

/// A line of a batch: its number from 1, and the document on it, or why there is none.
pub type Line = (usize, Result<Document, Vec<Fault>>);

/// Many new records of the caller's.
pub struct RegisterBatch {
    /// Reads the lines; called off the async workers.
    pub lines: Box<dyn FnOnce() -> Vec<Line> + Send>,
    pub idempotency: Idempotency,
}

/// A batch was taken: how many of its lines are records now.
#[derive(Serialize, Deserialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct BatchTaken {
    pub batch: Uuid,
    pub registered: usize,
    /// Lines that were not registered. The report of the batch says why.
    pub refused: usize,
}

/// Registers every line that breaks no rule, all of them in one commit; the others are reported.
///
/// # Errors
/// No line, or more than 500.
pub async fn register_batch(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    RegisterBatch { lines, idempotency }: RegisterBatch,
) -> Result<Done<BatchTaken>, Error> {
    gateway.begin_run().await?;
    let (node, sender) = (gateway.clone(), caller.clone());
    let lines = tokio::task::spawn_blocking(move || prepare_lines(&node, &sender, lines()));
    let lines = match lines.await.map_err(|_| ServiceError::Overloaded)? {
        Ok(lines) => lines,
        Err(error) => return Err(naming_refused(gateway, caller, (Act::RegisterBatch, error)).await),
    };
    let batch = gateway.clock.new_id();
    let report =
        BatchReport { batch, lines: lines.iter().map(|(line, outcome)| report_line(*line, outcome)).collect() };
    let sent = lines.len();
    let ready: Vec<PreparedRecord> = lines.into_iter().filter_map(|(_, outcome)| outcome.ok()).collect();
    let taken = BatchTaken { batch, registered: ready.len(), refused: sent - ready.len() };
    let acting = Acting::new(gateway, caller, Act::RegisterBatch);
    let done = carry_out(gateway, caller, idempotency, move |tx| {
        Box::pin(async move {
            let Acting { node, caller, .. } = &acting;
            store::batches::insert(tx, caller, node.clock.now(), &report).await?;
            let effect = Effect::new(taken, acting.entry().about(batch));
            register(tx, node, caller, ready, effect).await
        })
    });
    Ok(done.await?.by_its_first_entry())
}

type LineOutcome = Result<PreparedRecord, Refused>;

/// What the report says of a line that was refused.
struct Refused {
    faults: Vec<Fault>,
    has_more: bool,
}

impl Refused {
    /// Its first fault, and as many others as there is `room` for in the report.
    fn within(room: &mut usize, mut faults: Vec<Fault>) -> Self {
        let told = faults.len().min(1 + *room);
        let has_more = told < faults.len();
        faults.truncate(told);
        *room -= told.saturating_sub(1);
        Self { faults, has_more }
    }
}

fn report_line(line: usize, outcome: &LineOutcome) -> BatchLine {
    match outcome {
        Ok(prepared) => BatchLine { line, record: Some(prepared.id()), faults: Vec::new(), more_faults: false },
        Err(refused) => BatchLine { line, record: None, faults: refused.faults.clone(), more_faults: refused.has_more },
    }
}

/// Checks and seals every line. The report is written in the journal's transaction: it is kept small while it grows.
fn prepare_lines(gateway: &Gateway, caller: &Caller, lines: Vec<Line>) -> Result<Vec<(usize, LineOutcome)>, Error> {
    if lines.is_empty() || lines.len() > MAX_LINES {
        return Err(Error::field("body", "1～500件の記録を送信してください。", "must have 1 to 500 records"));
    }
    let mut room = MAX_MORE_FAULTS;
    lines
        .into_iter()
        .map(|(number, read)| match read.map_err(Error::from).and_then(|doc| prepare(gateway, caller, &doc)) {
            Ok(prepared) => Ok((number, Ok(prepared))),
            Err(Error::Request(RequestError::Faults(faults))) => {
                let faults = faults.into_iter().map(|fault| Fault { line: number as u64, ..fault }).collect();
                Ok((number, Err(Refused::within(&mut room, faults))))
            }
            Err(error) => Err(error),
        })
        .collect()
}

/// What became of a batch is asked for.
pub struct ReadBatch {
    pub batch: Uuid,
}

/// Shows the organization that sent a batch what became of each line.
///
/// # Errors
/// [`Error::NotFound`] for anybody else.
pub async fn read_batch(
    gateway: &Gateway,
    caller: &Caller,
    ReadBatch { batch }: ReadBatch,
) -> Result<Done<BatchReport>, Error> {
    let mut tx = gateway.store.read().await?;
    let report = store::batches::report(&mut tx, batch, caller).await?.ok_or(Error::NotFound("batch"))?;
    Ok(Done::told(report))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_tells_the_first_fault_of_each_line_and_so_many_others() {
        let fault = || Fault {
            line: 1,
            path: "/".to_owned(),
            rule: "text_form".into(),
            message_ja: String::new(),
            message_en: String::new(),
        };
        let mut room = 5;
        let mut told = |faults| {
            let Refused { faults, has_more } = Refused::within(&mut room, vec![fault(); faults]);
            (faults.len(), has_more)
        };
        assert_eq!(
            [told(4), told(1), told(3), told(2), told(1)],
            [(4, false), (1, false), (3, false), (1, true), (1, false)]
        );
    }
}
