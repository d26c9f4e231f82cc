//! Searching the notices, old ones too, by a fragment of a name.

use askama::Template;

use super::{
    super::{
        dates::{moment_of, partial},
        form::Form,
        input::Input,
        language::Language,
        page::{Visit, again, shown},
        shell::{PagePart, Shell},
    },
    state_name,
};
use crate::{
    domain::calendar::PartialDate,
    error::Error,
    face::answer::Answer,
    operations::missing_children::view_missing_notice::{FoundNotice, NoticeSearch, search_notices},
};

pub(super) fn name_input(l: Language, form: &Form) -> Input {
    Input::line(l, form, "name", ("児童の氏名の一部（2文字以上）", "Fragment of the child's name")).required()
}

struct FoundRow {
    id: String,
    name: String,
    birth: String,
    issuer: String,
    issued_at: String,
    state: &'static str,
}

impl FoundRow {
    fn of(visit: &Visit, l: Language, found: &FoundNotice) -> Self {
        let FoundNotice { line, content } = found;
        let birth = PartialDate::parse(&content.child.birth_date);
        Self {
            id: line.notice.to_string(),
            name: content.child.name.clone(),
            birth: birth.map_or_else(|| content.child.birth_date.clone(), |birth| partial(l, birth)),
            issuer: visit.gateway.registry.name(&line.issuer),
            issued_at: moment_of(l, &line.issued_at),
            state: l.of_pair(state_name(line.state)),
        }
    }
}

#[derive(Template)]
#[template(path = "missing/found.html")]
struct NoticeSearchPage {
    shell: Shell,
    form: Form,
    name: Input,
    /// `None` where nothing was searched for.
    rows: Option<Vec<FoundRow>>,
}

pub(super) async fn find(visit: Visit) -> Result<Answer, Error> {
    let l = visit.language();
    let mut form = visit.form(&["name"])?;
    let shell = visit.shell(("通知の検索", "Search of notices"), PagePart::Missing).await?;
    let asked = NoticeSearch { name: form.text("name").trim().to_owned() };
    match search_notices(&visit.gateway, &visit.caller, asked).await {
        Ok(found) => shown(&NoticeSearchPage {
            rows: Some(found.value().iter().map(|one| FoundRow::of(&visit, l, one)).collect()),
            name: name_input(l, &form),
            shell: shell.accounted_for(found.entries()),
            form,
        }),
        Err(error) => {
            let status = form.refused(error, l)?;
            again(status, &NoticeSearchPage { rows: None, name: name_input(l, &form), shell, form })
        }
    }
}
