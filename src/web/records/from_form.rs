//! A form that was sent, to a document of the national format: what is blank is not there, and each fault is said at the
//! field in which it was typed.

use std::collections::HashMap;

use super::{
    fields::{chosen, is_date, is_filled, numbers, typed_date},
    typed_date::plain,
    words::label,
};
use crate::{
    domain::{
        format::{
            Document, Fault, ROOT, RawNode,
            definition::{Field, FieldContent},
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
}

/// By the paths of faults.
type Places = HashMap<String, PlaceInForm>;

struct ReadForm {
    root: RawNode,
    places: Places,
}

fn read(form: &Form, left_out: GroupSet, registry: &Registry) -> ReadForm {
    let mut reader = Reader { form, registry, places: Places::new() };
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
        Self {
            name: under(&self.name),
            words: under(&self.words),
            fault: format!("{}/{}", self.fault, field.name),
        }
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

struct Reader<'f> {
    form: &'f Form,
    registry: &'f Registry,
    places: Places,
}

impl Reader<'_> {
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
        let place = PlaceInForm { name: at.name.clone(), field, words: at.words.clone() };
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

fn message(form: &Form, fault: &Fault, place: &PlaceInForm, language: Language) -> String {
    let PlaceInForm { name, field, words } = place;
    let label = label(language, words, field);
    let said = |ja: String, en: String| match language {
        Language::Japanese => ja,
        Language::English => en,
    };
    match (fault.rule.as_ref(), field.content) {
        ("element_missing", FieldContent::Code(_)) | ("code_list", _) => {
            said(format!("「{label}」を選択してください。"), format!("Choose: {label}."))
        }
        ("element_missing", _) => said(format!("「{label}」を入力してください。"), format!("Fill in: {label}.")),
        ("text_form", FieldContent::Text(lexical)) if is_date(lexical) => {
            if typed_date(form, name).is_of_another_calendar() {
                return said(
                    format!("「{label}」の年が、選んだ暦と合いません。西暦は4桁、元号は2桁までで入力してください。"),
                    format!("{label}: the year does not fit the calendar. Western years have four digits, others two."),
                );
            }
            let (ja, en) = match lexical {
                Lexical::DateTime => ("実在する日付と時刻", "a day and time that exist"),
                Lexical::PartialDate => ("実在する年月日、又は年月・年まで", "a day that exists, or its month or year alone"),
                _ => ("実在する年月日", "a day that exists"),
            };
            said(format!("「{label}」には、{ja}を入力してください。"), format!("{label} must be {en}."))
        }
        ("text_form", FieldContent::Text(lexical)) => said(
            lexical.request(label).replace("記載", "入力"),
            format!("{label} must be {}.", lexical.rule().1),
        ),
        _ => language.say(&fault.message_ja, &fault.message_en).to_owned(),
    }
}
