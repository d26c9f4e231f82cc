//! What others see of the body's own records: the settings in force beside the national standard, and their change.

use askama::Template;

use super::super::{
    disclosures::group_name,
    form::Form,
    language::Language,
    page::{Visit, again, see_other, shown},
    records::head::relation_name,
    shell::{PagePart, Shell},
};
use crate::{
    domain::visibility::{ItemGroup, Relation, VisibilitySettings},
    error::Error,
    face::{answer::Answer, route::ADMINISTER},
    operations::accounts::{
        organizations::{ChangeSettings, change_settings},
        view_settings::{VisibilityCell, VisibilityInForce, VisibilityRow, view_settings},
    },
};

const DONE: &[(&str, (&str, &str))] = &[(
    "changed",
    ("閲覧制限の設定を変更しました。直ちに適用されます。", "The settings were changed, and are in force."),
)];

#[derive(Template)]
#[template(path = "people/visibility.html")]
struct VisibilityPage {
    shell: Shell,
    form: Form,
    relations: Vec<RelationPart>,
    may_change: bool,
}

/// What one relation sees.
struct RelationPart {
    id: String,
    name: &'static str,
    groups: Vec<GroupLine>,
    /// Groups that nobody of this relation may ever be shown.
    never: String,
}

struct GroupLine {
    field: String,
    name: &'static str,
    is_shown: bool,
    standard: bool,
    /// Whether the body may decide otherwise than the standard.
    is_free: bool,
}

impl GroupLine {
    fn is_own(&self) -> bool {
        self.is_shown != self.standard
    }
}

fn field_of(relation: Relation, group: ItemGroup) -> String {
    format!("see.{}.{}", relation.as_str(), group.as_str())
}

/// Whether the body may decide it: show what the standard hides, or hide what it shows.
fn is_free(cell: &VisibilityCell) -> bool {
    if cell.standard { cell.may_hide } else { cell.may_show }
}

impl RelationPart {
    fn of(l: Language, row: &VisibilityRow, form: Option<&Form>) -> Self {
        let name = |group: ItemGroup| l.of_pair(group_name(group));
        let line = |cell: &VisibilityCell| {
            let field = field_of(row.relation, cell.group);
            let is_shown = match form.filter(|_| is_free(cell)) {
                Some(form) => form.value(&field).is_some(),
                None => cell.shown,
            };
            GroupLine { field, name: name(cell.group), is_shown, standard: cell.standard, is_free: is_free(cell) }
        };
        let is_ever = |cell: &&VisibilityCell| cell.standard || cell.may_show;
        let never = row.groups.iter().filter(|cell| !is_ever(cell)).map(|cell| name(cell.group));
        Self {
            id: format!("relation-{}", row.relation.as_str()),
            name: match row.relation {
                Relation::Outsider => l.say("上記以外の機関", "Any other body"),
                relation => l.of_pair(relation_name(relation)),
            },
            groups: row.groups.iter().filter(is_ever).map(line).collect(),
            never: never.collect::<Vec<_>>().join(l.say("、", ", ")),
        }
    }
}

impl VisibilityPage {
    async fn of(visit: &Visit, form: Option<Form>) -> Result<Self, Error> {
        let l = visit.language();
        let in_force = view_settings(&visit.gateway, &visit.caller).await?;
        let rows = in_force.value().rows.iter();
        let title = ("閲覧制限の設定", "What others see of our records");
        Ok(Self {
            shell: visit.shell(title, PagePart::Settings).await?.after(visit, DONE),
            // The body itself sees all of its own, whatever is set.
            relations: rows
                .filter(|row| row.relation != Relation::Owner)
                .map(|row| RelationPart::of(l, row, form.as_ref()))
                .collect(),
            may_change: visit.caller.has_any_role(ADMINISTER),
            form: form.unwrap_or_default(),
        })
    }
}

pub(super) async fn visibility(visit: Visit) -> Result<Answer, Error> {
    shown(&VisibilityPage::of(&visit, None).await?)
}

/// The settings that a form asks for: where it says otherwise than the standard, and the body may.
fn asked_for(in_force: &VisibilityInForce, form: &Form) -> VisibilitySettings {
    let mut settings = VisibilitySettings::default();
    for row in &in_force.rows {
        for cell in row.groups.iter().filter(|cell| is_free(cell)) {
            let is_ticked = form.value(&field_of(row.relation, cell.group)).is_some();
            match (cell.standard, is_ticked) {
                (true, false) => settings.hide.entry(row.relation).or_default().push(cell.group),
                (false, true) => settings.show.entry(row.relation).or_default().push(cell.group),
                _ => {}
            }
        }
    }
    settings
}

pub(super) async fn change_visibility(visit: Visit) -> Result<Answer, Error> {
    let in_force = view_settings(&visit.gateway, &visit.caller).await?;
    let is_field = |name: &str| {
        let mut rows = in_force.value().rows.iter();
        rows.any(|row| row.groups.iter().any(|cell| is_free(cell) && field_of(row.relation, cell.group) == name))
    };
    let mut form = Form::read(&visit.call, is_field)?;
    let settings = asked_for(in_force.value(), &form);
    let asked = ChangeSettings { settings, idempotency: form.idempotency(&visit.call)? };
    match change_settings(&visit.gateway, &visit.caller, asked).await {
        Ok(_) => Ok(see_other("/settings/visibility?done=changed")),
        Err(error) => {
            let status = form.refused(error, visit.language())?;
            again(status, &VisibilityPage::of(&visit, Some(form)).await?)
        }
    }
}
