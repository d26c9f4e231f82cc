//! Searching the own body's records by a fragment of a name.

use askama::Template;

use super::list::{RecordLine, line};
use crate::{
    error::Error,
    face::answer::Answer,
    operations::records::search_own_records::{NameOf, OwnSearch, search_own_records},
    web::{
        form::Form,
        input::{ChoiceInput, Input},
        language::Language,
        page::{Visit, again, shown},
        shell::{PagePart, Shell},
    },
};

/// Whose name is looked for, as the form says it.
const WHOSE: [(NameOf, &str, (&str, &str)); 3] = [
    (NameOf::Child, "child", ("児童", "child")),
    (NameOf::Guardian, "guardian", ("保護者", "guardian")),
    (NameOf::Relative, "relative", ("その他の家族", "relative")),
];

/// What is asked for: a name, and whose it is.
pub(super) fn inputs(l: Language, form: &Form) -> (Input, ChoiceInput) {
    let support = (
        "漢字・カナのどちらでも、一部だけでも検索できます。分からない文字は「?」（1文字）又は「*」（何文字でも）",
        "In any written form. ? stands for one character, * for any number",
    );
    let name =
        Input::line(l, form, "name", ("氏名の一部（2文字以上）", "Fragment of a name")).required().support(support);
    let whose = ChoiceInput::of(l, form, "of", ("対象", "Whose name")).at_first("child");
    let whose = WHOSE.iter().fold(whose, |whose, (_, value, label)| whose.option(value, *label));
    (name, whose)
}

#[derive(Template)]
#[template(path = "records/found.html")]
struct OwnSearchPage {
    shell: Shell,
    form: Form,
    name: Input,
    of: ChoiceInput,
    /// `None` where nothing was searched for.
    lines: Option<Vec<RecordLine>>,
    set_aside: usize,
    next_page: Option<usize>,
}

pub(super) async fn own_search(visit: Visit) -> Result<Answer, Error> {
    let l = visit.language();
    let mut form = visit.form(&["name", "of", "page"])?;
    let shell = visit.shell(("自機関の記録の検索", "Search of own records"), PagePart::Records).await?;
    let whose = WHOSE.iter().find(|(_, value, _)| *value == form.text("of")).map_or(NameOf::Child, |(of, ..)| *of);
    let asked = OwnSearch {
        name: form.text("name").trim().to_owned(),
        of: whose,
        page: form.text("page").parse().unwrap_or(1),
    };
    match search_own_records(&visit.gateway, &visit.caller, asked).await {
        Ok(found) => {
            let (name, of) = inputs(l, &form);
            let shell = shell.accounted_for(found.entries());
            let found = found.value();
            let lines = Some(found.records.iter().map(|record| line(l, record)).collect());
            let (set_aside, next_page) = (found.set_aside, found.next_page);
            shown(&OwnSearchPage { shell, form, name, of, lines, set_aside, next_page })
        }
        Err(error) => {
            let status = form.refused(error, l)?;
            let (name, of) = inputs(l, &form);
            again(status, &OwnSearchPage { shell, form, name, of, lines: None, set_aside: 0, next_page: None })
        }
    }
}
