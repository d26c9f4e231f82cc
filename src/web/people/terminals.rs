//! Terminals of a body.

use askama::Template;

use super::super::{
    page::{Visit, see_other, shown},
    shell::{PagePart, Shell},
};
use crate::{
    error::Error,
    face::answer::Answer,
    identity::directory::TerminalKind,
    operations::accounts::terminals::{RevokeTerminal, list_terminals, revoke_terminal},
};

#[derive(Template)]
#[template(path = "people/terminals.html")]
struct TerminalsPage {
    shell: Shell,
    rows: Vec<TerminalRow>,
}

struct TerminalRow {
    serial: String,
    organization: String,
    kind: &'static str,
    label: String,
    active: bool,
    is_here: bool,
}

const DONE: &[(&str, (&str, &str))] = &[("revoked", ("端末を失効させました。", "The terminal was revoked."))];

pub(super) async fn terminals(visit: Visit) -> Result<Answer, Error> {
    let l = visit.language();
    let lines = list_terminals(&visit.gateway, &visit.caller).await?;
    let rows = lines.value().terminals.iter().map(|line| TerminalRow {
        serial: line.serial.clone(),
        organization: visit.gateway.registry.name(&line.organization),
        kind: match line.kind {
            TerminalKind::Machine => l.say("業務システム", "case system"),
            TerminalKind::Desk => l.say("執務端末", "desk"),
        },
        label: line.label.clone(),
        active: line.active,
        is_here: line.serial == visit.caller.terminal(),
    });
    let rows = rows.collect();
    shown(&TerminalsPage {
        shell: visit.shell(("端末", "Terminals"), PagePart::Settings).await?.after(&visit, DONE),
        rows,
    })
}

pub(super) async fn revoke_terminal_act(visit: Visit) -> Result<Answer, Error> {
    let form = visit.form(&[])?;
    let asked =
        RevokeTerminal { serial: visit.call.segment("serial").to_owned(), idempotency: form.idempotency(&visit.call)? };
    revoke_terminal(&visit.gateway, &visit.caller, asked).await?;
    Ok(see_other("/terminals?done=revoked"))
}
