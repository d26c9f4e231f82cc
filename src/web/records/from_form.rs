//! A form that was sent, to a document of the national format: what is blank is not there, and each fault is said at the
//! field in which it was typed.

use std::collections::HashMap;

use super::{
    arrangement::is_frameless,
    fields::{chosen, is_date, is_filled, numbers, typed_date},
    typed_date::plain,
    words::label,
};
use crate::{
    domain::{
        format::{
            Document, Fault, ROOT, RawNode,
            definition::{Field, FieldContent},
            document::child_field,
            lexical::Lexical,
            sections::SECTIONS,
            validate::{Order, validate_without},
        },
        registry::Registry,
        visibility::GroupSet,
    },
    web::{form::Form, language::Language},
};

/// Reads the sections of a form into a document, or says in the form what is wrong. The sections of some groups are not in
/// the form.
pub fn document(form: &mut Form, left_out: GroupSet, registry: &Registry, language: Language) -> Option<Document> {
    let read = read(form, left_out, registry);
    match validate_without(read.root, Order::Free, left_out) {
        Ok(document) => Some(document),
        Err(faults) => {
            say(form, &faults, &read.places, language);
            None
        }
    }
}

/// Says in the form what an operation found wrong with the document that was made of it.
pub fn refused(form: &mut Form, faults: &[Fault], left_out: GroupSet, registry: &Registry, language: Language) {
    let places = read(form, left_out, registry).places;
    say(form, faults, &places, language);
}

/// One field of a form: its name, its path among the words, its definition.
struct PlaceInForm {
    name: String,
    field: &'static Field,
    words: String,
    /// Where it stands in the form.
    order: usize,
}

/// By the paths of faults.
type Places = HashMap<String, PlaceInForm>;

struct ReadForm {
    root: RawNode,
    places: Places,
}

fn read(form: &Form, left_out: GroupSet, registry: &Registry) -> ReadForm {
    let mut reader = FormReader { form, registry, places: Places::new() };
    let root = format!("/{ROOT}");
    let mut nodes = Vec::new();
    for section in SECTIONS.iter().filter(|section| !left_out.contains(section.group)) {
        let path = InForm { name: String::new(), words: String::new(), fault: root.clone() };
        nodes.extend(reader.occurrences(&path, &section.field));
    }
    ReadForm { root: RawNode::parent(ROOT, nodes), places: reader.places }
}

/// Where an element is: in the form, among the words, and in the path of a fault.
struct InForm {
    name: String,
    words: String,
    fault: String,
}

impl InForm {
    fn child(&self, field: &'static Field) -> Self {
        let under = |path: &str| {
            if path.is_empty() { field.name.to_owned() } else { format!("{path}.{}", field.name) }
        };
        Self { name: under(&self.name), words: under(&self.words), fault: format!("{}/{}", self.fault, field.name) }
    }

    /// The occurrence with a number in the form, and its place in the document.
    fn numbered(&self, number: usize, place: usize) -> Self {
        Self {
            name: format!("{}.{number}", self.name),
            words: self.words.clone(),
            fault: format!("{}[{place}]", self.fault),
        }
    }
}

struct FormReader<'f> {
    form: &'f Form,
    registry: &'f Registry,
    places: Places,
}

impl FormReader<'_> {
    /// The elements of a field under a parent.
    fn occurrences(&mut self, parent: &InForm, field: &'static Field) -> Vec<RawNode> {
        let at = parent.child(field);
        if !field.occurs.is_repeatable() {
            self.keep(&at, at.fault.clone(), field);
            let is_there = field.occurs.is_mandatory() && matches!(field.content, FieldContent::Children(_))
                || is_filled(self.form, &at.name);
            return if is_there { vec![self.element(&at, field)] } else { Vec::new() };
        }
        if let FieldContent::Code(_) = field.content {
            self.keep(&at, at.fault.clone(), field);
            let codes = chosen(self.form, &at.name, field);
            return codes.into_iter().map(|code| RawNode::text(field.name, code.to_owned())).collect();
        }
        let filled = |number: &usize| is_filled(self.form, &format!("{}.{number}", at.name));
        let mut there: Vec<usize> = numbers(self.form, &at.name).into_iter().filter(filled).collect();
        // What must be there is missed in the first that the form shows.
        let first = at.numbered(1, 1);
        self.keep(&first, at.fault.clone(), field);
        if there.is_empty() && field.occurs.is_mandatory() {
            there.push(1);
        }
        let each = (1..).zip(there).map(|(place, number)| at.numbered(number, place)).collect::<Vec<_>>();
        each.iter()
            .map(|at| {
                self.keep(at, at.fault.clone(), field);
                self.element(at, field)
            })
            .collect()
    }

    fn element(&mut self, at: &InForm, field: &'static Field) -> RawNode {
        match field.content {
            FieldContent::Children(children) => {
                let nodes = children.iter().flat_map(|child| self.occurrences(at, child)).collect();
                RawNode::parent(field.name, nodes)
            }
            FieldContent::Text(lexical) => RawNode::text(field.name, self.text(at, lexical)),
            FieldContent::Code(_) => RawNode::text(field.name, self.form.text(&at.name).to_owned()),
        }
    }

    fn text(&self, at: &InForm, lexical: Lexical) -> String {
        let typed = self.form.text(&at.name);
        match lexical {
            Lexical::DateTime => typed_date(self.form, &at.name).written_with_time(),
            Lexical::Date | Lexical::PartialDate => typed_date(self.form, &at.name).written(),
            Lexical::Phone | Lexical::PostalCode | Lexical::OrganizationCode => plain(typed),
            Lexical::MunicipalityCode => municipality(&plain(typed), self.registry),
            Lexical::Kana => typed.trim().to_owned(),
            Lexical::Line(_) | Lexical::Text(_) => typed.to_owned(),
        }
    }

    fn keep(&mut self, at: &InForm, fault: String, field: &'static Field) {
        let place = PlaceInForm { name: at.name.clone(), field, words: at.words.clone(), order: self.places.len() };
        self.places.entry(fault).or_insert(place);
    }
}

/// The code of a municipality that was named, where it is the only one of that name; else what was typed.
fn municipality(typed: &str, registry: &Registry) -> String {
    if typed.is_empty() || typed.bytes().all(|byte| byte.is_ascii_digit()) {
        return typed.to_owned();
    }
    let is_named = |name: &str| name == typed;
    let mut named = registry.bodies().filter(|body| is_named(&body.name) && !body.code.as_str().contains('-'));
    match (named.next(), named.next()) {
        (Some(body), None) => body.code.to_string(),
        _ => typed.to_owned(),
    }
}

fn say(form: &mut Form, faults: &[Fault], places: &Places, language: Language) {
    let order = |fault: &&Fault| places.get(&fault.path).map_or(0, |place| place.order);
    let mut faults: Vec<&Fault> = faults.iter().collect();
    faults.sort_by_key(order);
    for fault in faults {
        match places.get(&fault.path) {
            Some(place) => {
                let message = message(form, fault, place, language);
                form.fault(&place.name, message);
            }
            None => {
                let section = fault.path.split(['/', '[']).nth(2).unwrap_or_default().to_owned();
                form.fault(&section, language.say(&fault.message_ja, &fault.message_en));
            }
        }
    }
}

/// The label of a field with that of the group in which it stands: a child has a name, and so has each guardian.
fn label_with_context(language: Language, words: &str, field: &'static Field) -> String {
    let own = label(language, words, field);
    let mut segments = words.split('.');
    let section = segments.next().and_then(|name| SECTIONS.iter().find(|section| section.field.name == name));
    let (mut path, mut group) = (words.split('.').next().unwrap_or_default().to_owned(), None);
    let mut above = section.map(|section| &section.field);
    for segment in segments {
        above = above.and_then(|above| child_field(above, segment));
        path = format!("{path}.{segment}");
        if let Some(above) = above.filter(|_| path != words && !is_frameless(&path)) {
            group = Some(label(language, &path, above));
        }
    }
    match group {
        Some(group) => format!("{group}{}{own}", language.say("：", ": ")),
        None => own.to_owned(),
    }
}

fn message(form: &Form, fault: &Fault, place: &PlaceInForm, language: Language) -> String {
    let PlaceInForm { name, field, words, .. } = place;
    let label = &label_with_context(language, words, field);
    let said = |ja: String, en: String| match language {
        Language::Japanese => ja,
        Language::English => en,
    };
    match (fault.rule.as_ref(), field.content) {
        ("element_missing", FieldContent::Code(_)) | ("code_list", _) => {
            said(format!("「{label}」を選択してください。"), format!("Choose {label}."))
        }
        ("element_missing", _) => said(format!("「{label}」を入力してください。"), format!("Enter {label}.")),
        ("text_form", FieldContent::Text(lexical)) if is_date(lexical) => {
            if typed_date(form, name).is_of_another_calendar() {
                return said(
                    format!("「{label}」の年が、選んだ暦と合いません。西暦は4桁、元号は2桁までで入力してください。"),
                    format!("{label}: the year does not fit the calendar. Western years have four digits, others two."),
                );
            }
            let (ja, en) = match lexical {
                Lexical::DateTime => ("実在する日付と時刻", "a day and time that exist"),
                Lexical::PartialDate => ("実在する年月日、年月又は年", "a day that exists, or its month or year alone"),
                _ => ("実在する年月日", "a day that exists"),
            };
            said(format!("「{label}」には、{ja}を入力してください。"), format!("{label} must be {en}."))
        }
        ("text_form", FieldContent::Text(lexical)) => {
            said(lexical.request(label).replace("記載", "入力"), format!("{label} must be {}.", lexical.rule().1))
        }
        _ => language.say(&fault.message_ja, &fault.message_en).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::format::{Element, document::section_field, validate},
        web::records::{fields::of_section, sheet::sheet},
        wire::json,
    };

    fn registry() -> Registry {
        Registry::embedded().unwrap()
    }

    fn form_of(document: &Document) -> Form {
        let sections = document.sections();
        Form::with(sections.flat_map(|(group, section)| of_section(section, section_field(group).unwrap())))
    }

    fn again(form: &mut Form) -> Option<Document> {
        super::document(form, GroupSet::EMPTY, &registry(), Language::Japanese)
    }

    /// A text that a kind of text allows.
    fn text_of(lexical: Lexical, number: usize) -> String {
        match lexical {
            Lexical::Line(_) => format!("架空 <b>{number}</b> & \"x\""),
            Lexical::Text(_) => format!("\n架空\n二行目 {number}"),
            Lexical::Kana => "カクウ".into(),
            Lexical::Date => ["2018-04-01", "R8.4.1", "令和8年4月1日"][number % 3].into(),
            Lexical::PartialDate => ["H30", "2018-04", "昭和60年"][number % 3].into(),
            Lexical::DateTime => "2026-11-30T08:05".into(),
            Lexical::Phone => "090-0000-0000".into(),
            Lexical::PostalCode => "270-1492".into(),
            Lexical::MunicipalityCode => "122327".into(),
            Lexical::OrganizationCode => ["122327", "120006-04"][number % 2].into(),
        }
    }

    /// Every field of the definition, and of what may occur often three.
    fn everything(field: &'static Field, count: &mut usize) -> Vec<RawNode> {
        let often = if field.occurs.is_repeatable() { 3 } else { 1 };
        let one = |place: usize| {
            *count += 1;
            match field.content {
                FieldContent::Children(children) => {
                    RawNode::parent(field.name, children.iter().flat_map(|child| everything(child, count)).collect())
                }
                FieldContent::Text(lexical) => RawNode::text(field.name, text_of(lexical, *count)),
                // Not in the order of the list.
                FieldContent::Code(list) => {
                    let codes: Vec<&str> = list.codes.iter().rev().map(|(code, _)| *code).collect();
                    RawNode::text(field.name, codes[place % codes.len()].to_owned())
                }
            }
        };
        (0..often).map(one).collect()
    }

    fn full() -> Document {
        let mut count = 0;
        let nodes = SECTIONS.iter().flat_map(|section| everything(&section.field, &mut count)).collect();
        validate(RawNode::parent(ROOT, nodes), Order::Prescribed).map_err(|faults| format!("{faults:?}")).unwrap()
    }

    #[test]
    fn every_field_survives_the_form() {
        let example = include_bytes!("../../../schemas/example_full.json");
        for document in [json::read(example).unwrap(), full()] {
            let mut form = form_of(&document);
            let read = again(&mut form);
            assert!(form.faults().next().is_none(), "{:?}", form.faults().collect::<Vec<_>>());
            assert!(read.unwrap() == document, "a field was lost or changed");
        }
    }

    #[test]
    fn every_field_is_in_the_form_but_the_bodies_that_two_persons_name() {
        let form = form_of(&full());
        let page: String = sheet(Language::Japanese, &form, GroupSet::EMPTY)
            .iter()
            .flat_map(|section| &section.blocks)
            .map(ToString::to_string)
            .collect();
        for (name, _) in form.fields().filter(|(name, _)| !name.starts_with("shield.named.")) {
            assert!(page.contains(&format!("name=\"{name}\"")), "{name}");
        }
        assert!(!page.contains("shield.named"));
    }

    #[test]
    fn what_is_typed_is_text_and_nothing_else() {
        for naughty in [
            "<script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "</textarea><script>",
            "' onmouseover='x",
            "{{ 7 * 7 }} {% x %}",
            "&lt;b&gt; &#0;",
            "\u{202E}\u{200B}ﷺ🏳️‍🌈",
            "髙﨑𠮷",
        ] {
            let mut form = form_of(&full());
            let names: Vec<String> = form.fields().map(|(name, _)| name.to_owned()).collect();
            names.into_iter().for_each(|name| form.put(name, naughty.to_owned()));
            let page: String = sheet(Language::Japanese, &form, GroupSet::EMPTY)
                .iter()
                .flat_map(|section| &section.blocks)
                .map(ToString::to_string)
                .collect();
            for markup in ["<script", "<img", "' onmouseover='"] {
                assert!(!page.contains(markup), "{naughty}");
            }
            let plain = page
                .replace("&#60;", "<")
                .replace("&#62;", ">")
                .replace("&#34;", "\"")
                .replace("&#39;", "'")
                .replace("&#38;", "&");
            assert!(plain.contains(naughty), "{naughty}: {page}");
        }
    }

    fn faults_of(change: impl FnOnce(&mut Form)) -> Vec<(String, String)> {
        let mut form = form_of(&json::read(include_bytes!("../../../schemas/example_full.json")).unwrap());
        change(&mut form);
        assert!(again(&mut form).is_none(), "nothing was found wrong");
        form.faults().map(|(name, message)| (name.to_owned(), message.to_owned())).collect()
    }

    #[test]
    fn what_is_wrong_is_said_at_its_field() {
        for (name, value, message) in [
            ("index.child.name.written", " ", "「児童：氏名」を入力してください。"),
            ("index.child.sex", "", "「児童：性別」を選択してください。"),
            ("index.child.sex", "7", "「児童：性別」を選択してください。"),
            ("index.child.name.kana", "高橋", "「児童：氏名カナ」は、1～120文字のカナで入力してください。"),
            (
                "contact.phone.1",
                "でんわ",
                "「電話番号」には、電話番号を半角の数字とハイフンの6～20文字で入力してください。",
            ),
            ("assessment.riskSheet.1.riskItem.1.item", "", "「評価項目：項目」を入力してください。"),
            ("case.caseClass", "", "「ケース区分」を選択してください。"),
            ("index.guardian.1.name.written", "", "「保護者：氏名」を入力してください。"),
        ] {
            let faults = faults_of(|form| form.put(name.to_owned(), value.to_owned()));
            assert_eq!(faults, [(name.to_owned(), message.to_owned())]);
        }
        let faults = faults_of(|form| {
            form.put("index.child.birthDate.year".to_owned(), "24".to_owned());
            form.put("shield.since.day".to_owned(), "31".to_owned());
        });
        assert_eq!(faults[0].0, "index.child.birthDate");
        assert!(faults[0].1.contains("西暦は4桁"), "{faults:?}");
        assert_eq!(faults[1].0, "shield.since");
    }

    /// What is blank is not there, and the numbers of what is left are those that are shown.
    #[test]
    fn a_fault_finds_its_field_past_what_was_left_blank() {
        let faults = faults_of(|form| {
            let put = |form: &mut Form, name: &str, value: &str| form.put(name.to_owned(), value.to_owned());
            put(form, "family.relative.2.name.written", "");
            put(form, "family.relative.2.birthDate.era", "令和");
            put(form, "family.relative.5.name.written", "架空 祖母");
        });
        assert_eq!(
            faults,
            [(
                "family.relative.5.relationship".to_owned(),
                "「家族・親族：児童との続柄」を入力してください。".to_owned(),
            )]
        );
        let nobody = faults_of(|form| form.put("index.guardian.1.name.written".to_owned(), String::new()));
        assert_eq!(nobody[0].0, "index.guardian.1.name.written");
    }

    #[test]
    fn what_an_operation_refuses_is_said_at_its_field() {
        let mut form = form_of(&json::read(include_bytes!("../../../schemas/example_full.json")).unwrap());
        let fault = |path: &str| Fault {
            line: 0,
            path: path.to_owned(),
            rule: "planted".into(),
            message_ja: "直してください。".to_owned(),
            message_en: "Mend it.".to_owned(),
        };
        let faults =
            ["/childRecord/contact/municipality", "/childRecord/index", "/childRecord/shield/named"].map(fault);
        refused(&mut form, &faults, GroupSet::EMPTY, &registry(), Language::English);
        let said: Vec<(&str, &str)> = form.faults().collect();
        assert_eq!(
            said,
            [("index", "Mend it."), ("contact.municipality", "Mend it."), ("shield.named.1", "Mend it."),]
        );
    }

    #[test]
    fn a_municipality_may_be_called_by_its_name() {
        let registry = registry();
        assert_eq!(municipality("白井市", &registry), "122327");
        assert_eq!(municipality("府中市", &registry), "府中市", "there are two");
        assert_eq!(municipality("122327", &registry), "122327");
    }

    #[test]
    fn a_section_that_is_left_out_is_not_read() {
        let mut form = form_of(&full());
        let left_out = GroupSet::of([crate::domain::visibility::ItemGroup::Contact]);
        let document = super::document(&mut form, left_out, &registry(), Language::Japanese).unwrap();
        assert!(document.sections().all(|(group, _)| !left_out.contains(group)));
        let _: Option<&Element> = document.section(crate::domain::visibility::ItemGroup::Index);
    }
}
