//! A record to read: its head, the state of all its sections, each section, its files. What a shield closes is opened by
//! itself, and each opening is an entry of its own.

use askama::Template;

use super::{
    edit::{EditState, edit_state},
    head::{ChildHead, group_of, record_of, seen, shown},
    reading::{ReadBlock, ReadValue, SectionReader},
    words,
};
use crate::{
    disclosure::view::{Extent, Item, RecordView},
    domain::{
        attachment::AttachmentLine,
        format::sections::SECTIONS,
        visibility::{GroupSet, ItemGroup, SHIELD_HIDES},
    },
    error::Error,
    face::{
        answer::Answer,
        route::{CASEWORK, SUPERVISE},
    },
    web::{
        dates::moment,
        language::Language,
        page::{Visit, shown as show_page},
        shell::{PagePart, Shell, is_open},
    },
};

/// What became of an act that led here.
pub const DONE: &[(&str, (&str, &str))] = &[
    ("registered", ("登録しました。", "It is registered.")),
    ("updated", ("保存しました。新しい版になりました。", "It is saved as a new version.")),
    ("left", ("編集を終了しました。変更は保存していません。", "Editing has ended; nothing was saved.")),
    ("closed", ("終結しました。", "The record is closed.")),
    ("shielded", ("支援措置を設定しました。直ちに有効です。", "The shield is set, and holds at once.")),
    (
        "naming-asked",
        (
            "開示先の追加を申請しました。監督者2人の承認を待っています。",
            "It was requested, and waits for two supervisors to approve it.",
        ),
    ),
    ("named", ("開示先に加えました。", "They were named.")),
    (
        "lift-asked",
        (
            "支援措置の解除を申請しました。監督者2人が承認するまで、支援措置は続きます。",
            "Lifting the shield was requested. It stays until two supervisors approve.",
        ),
    ),
    ("lifted", ("支援措置を解除しました。", "The shield is lifted.")),
    ("attached", ("ファイルを添付しました。", "The file is attached.")),
];

/// How a section stands in a view.
pub enum SectionState {
    Recorded(Vec<ReadBlock>),
    /// The reader may see it, and nobody wrote it.
    Nothing,
    /// The reader may see it, and has not asked for it.
    Closed,
    /// Withheld because of a shield.
    Shielded,
    /// Withheld by the rules of visibility.
    Withheld,
}

/// One section, or the files, of a view.
pub struct ViewedSection {
    pub id: &'static str,
    pub title: String,
    pub state: SectionState,
    /// Why it is withheld or closed.
    pub reason: &'static str,
}

impl ViewedSection {
    pub fn is_listed(&self) -> bool {
        !matches!(self.state, SectionState::Nothing)
    }
}

/// A file, as its line says.
struct FileLine {
    path: String,
    what: &'static str,
    kind: String,
    at: String,
}

#[derive(Template)]
#[template(path = "records/record.html")]
struct RecordPage {
    shell: Shell,
    head: ChildHead,
    sections: Vec<ViewedSection>,
    files: ViewedSection,
    file_lines: Vec<FileLine>,
    edit: Option<EditState>,
    may_write: bool,
    /// A shield is set and lifted of a closed record too: it is still found.
    may_shield: bool,
    may_close: bool,
    ways_on: Vec<WayOn>,
}

/// Where one goes from a record of the own body.
struct WayOn {
    path: String,
    name: &'static str,
}

impl WayOn {
    /// Those that are open to the caller.
    fn all(visit: &Visit, head: &ChildHead) -> Vec<Self> {
        const WAYS: [(&str, bool, &str, (&str, &str)); 5] = [
            (
                "/records/{id}/offer",
                true,
                "/records/{id}/offer",
                ("転出先へ情報を提供する", "Offer it to another body"),
            ),
            ("/records/{id}/serious", true, "/records/{id}/serious", ("重大事案に指定する", "Designate it as serious")),
            ("/serious/{id}", false, "/serious/{id}", ("重大事案の検証の所見", "What was found of the serious case")),
            ("/records/{id}/history", false, "/records/{id}/history", ("変更の履歴", "History")),
            ("/disclosures", false, "/disclosures?record={id}", ("閲覧履歴", "Who saw it")),
        ];
        let open = WAYS.into_iter().filter(|(page, asks_open, ..)| {
            let is_apt = match *page {
                "/records/{id}/serious" => !head.is_serious,
                "/serious/{id}" => head.is_serious,
                _ => true,
            };
            head.is_own && is_apt && !(*asks_open && head.is_closed) && is_open(&visit.caller, page)
        });
        let way = |(_, _, path, name): (&str, bool, &str, (&'static str, &'static str))| Self {
            path: path.replace("{id}", &head.id.to_string()),
            name: visit.language().of_pair(name),
        };
        open.map(way).collect()
    }
}

pub(super) async fn record_show(visit: Visit) -> Result<Answer, Error> {
    let record = record_of(&visit)?;
    let view = seen(&visit, record, Extent::Closed).await?;
    page(&visit, view.value(), Vec::new(), view.entries().to_vec()).await
}

/// The record with a section that was closed.
pub(super) async fn record_open(visit: Visit) -> Result<Answer, Error> {
    let record = record_of(&visit)?;
    let group = group_of(visit.call.segment("section")).ok_or(Error::NotAvailable)?;
    let view = seen(&visit, record, Extent::Closed).await?;
    let opened = seen(&visit, record, Extent::Only(GroupSet::of([group]))).await?;
    let entries = [view.entries(), opened.entries()].concat();
    let sections = sections_of(&visit, opened.value()).into_iter().filter(|(of, _)| *of == group).collect();
    page(&visit, view.value(), sections, entries).await
}

async fn page(
    visit: &Visit,
    view: &RecordView,
    opened: Vec<(ItemGroup, ViewedSection)>,
    entries: Vec<uuid::Uuid>,
) -> Result<Answer, Error> {
    let language = visit.language();
    let mut sections = sections_of(visit, view);
    for (group, section) in opened {
        if let Some(place) = sections.iter().position(|(of, _)| *of == group) {
            sections.splice(place..=place, [(group, section)]);
        }
    }
    let mut head = ChildHead::of(visit, view);
    // Who was named under the shield is told not to pass on what may be opened.
    head.is_shielded |= sections.iter().any(|(_, section)| matches!(section.state, SectionState::Closed));
    let has = |roles: &[crate::identity::Role]| roles.iter().any(|role| visit.caller.has_role(*role));
    let may_write = head.is_own && !head.is_closed && has(CASEWORK);
    let edit = if may_write { Some(edit_state(visit, view.record).await?) } else { None };
    let shell =
        visit.shell(("児童記録票", "Record"), PagePart::Records).await?.accounted_for(&entries).after(visit, DONE);
    show_page(&RecordPage {
        shell,
        sections: sections.into_iter().map(|(_, section)| section).collect(),
        files: files_of(language, view),
        file_lines: view.attachments.iter().map(|line| file_line(language, view, line)).collect(),
        edit,
        may_close: may_write && has(SUPERVISE),
        may_write,
        may_shield: head.is_own && has(CASEWORK),
        ways_on: WayOn::all(visit, &head),
        head,
    })
}

/// The sections of a view, in the order of the format.
pub fn sections_of(visit: &Visit, view: &RecordView) -> Vec<(ItemGroup, ViewedSection)> {
    let language = visit.language();
    let reader = SectionReader { language, registry: &visit.gateway.registry };
    SECTIONS
        .iter()
        .map(|section| {
            let (group, field) = (section.group, &section.field);
            let item = view.items.iter().find(|(of, _)| *of == group).map(|(_, item)| item);
            let state = match (item, shown(view, group)) {
                (Some(Item::Shown(_)), Some(element)) => SectionState::Recorded(reader.section(field, element)),
                (Some(Item::NotAsked), _) => SectionState::Closed,
                (Some(Item::Withheld), _) => withheld(view, group),
                _ => SectionState::Nothing,
            };
            let title = words::label(language, field.name, field).to_owned();
            (group, ViewedSection { id: field.name, title, reason: reason(language, group, &state), state })
        })
        .collect()
}

fn files_of(language: Language, view: &RecordView) -> ViewedSection {
    let state = match (view.withholds_attachments, view.attachments.is_empty()) {
        (true, _) => withheld(view, ItemGroup::Attachments),
        (false, true) => SectionState::Nothing,
        (false, false) => SectionState::Recorded(Vec::new()),
    };
    let reason = reason(language, ItemGroup::Attachments, &state);
    ViewedSection { id: "attachments", title: language.say("添付", "Files").to_owned(), state, reason }
}

/// What a shield hides is told from what the rules hide to those alone who may know of the shield.
fn withheld(view: &RecordView, group: ItemGroup) -> SectionState {
    if view.shielded == Some(true) && SHIELD_HIDES.contains(&group) {
        SectionState::Shielded
    } else {
        SectionState::Withheld
    }
}

fn reason(language: Language, group: ItemGroup, state: &SectionState) -> &'static str {
    match (state, group) {
        (SectionState::Closed, _) => language.say(
            "誤って読み上げたり、背後から見られたりしないよう、表示していません。表示するたびに閲覧履歴に残ります",
            "Not shown, so that it is not read out or seen over a shoulder. Each showing is recorded in the access history",
        ),
        (SectionState::Shielded, ItemGroup::Attachments) => language.say(
            "写真から場所が分かることがあるため、登録機関が指定した機関以外には、添付の有無も表示されません",
            "A photo can tell a place: nobody but the bodies that the owner named learns whether there are any",
        ),
        (SectionState::Shielded, _) => language.say(
            "支援措置の対象のため、登録機関と、登録機関が指定した機関以外には表示されません",
            "Shielded: shown to nobody but the owner and the bodies that it named",
        ),
        (SectionState::Withheld, ItemGroup::Reporter) => language.say(
            "通告者を特定できる情報は、受け付けた機関の外へは提供されません（児童虐待防止法第7条）",
            "What tells who reported never leaves the body that took the report (Act on the Prevention of Child Abuse, Article 7)",
        ),
        (SectionState::Withheld, _) => language.say(
            "閲覧制限により、この立場では記録の有無も表示されません。必要なときは登録機関に照会してください",
            "Your organization may not see this, or whether it exists. Ask the registering organization if you need it",
        ),
        (SectionState::Recorded(_) | SectionState::Nothing, _) => "",
    }
}

fn file_line(language: Language, view: &RecordView, line: &AttachmentLine) -> FileLine {
    let what = match line.kind.as_str() {
        "injury_photo" => language.say("けがの写真", "Photo of an injury"),
        _ => language.say("その他のファイル", "Other file"),
    };
    let kind = match line.media_type.as_str() {
        "application/pdf" => "PDF",
        "image/png" => "PNG",
        _ => "JPEG",
    };
    FileLine {
        path: format!("/records/{}/attachments/{}", view.record, line.id),
        what,
        kind: format!("{kind} {} KB", (line.bytes + 1_023) / 1_024),
        at: moment(language, line.at),
    }
}
