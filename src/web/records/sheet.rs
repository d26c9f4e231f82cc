//! The form of a record, made of the one definition of the national format, section by section.

use askama::{Template, filters::HtmlSafe};

use super::{
    arrangement,
    buttons::ADD,
    code_words::meaning,
    fields::{CHOSEN, chosen, is_date, numbers, typed_date},
    look_up::POSTAL_CODE,
    words,
};
use crate::{
    domain::{
        format::{
            definition::{Field, FieldContent},
            lexical::Lexical,
            sections::SECTIONS,
        },
        visibility::{GroupSet, ItemGroup},
    },
    web::{form::Form, language::Language},
};

/// A section of the form.
pub struct SheetSection {
    pub id: &'static str,
    pub title: &'static str,
    pub is_required: bool,
    /// Whether its fields are in sight; they can be opened where they are not.
    pub is_open: bool,
    pub blocks: Vec<Block>,
}

/// A field, or fields that belong together.
#[derive(Template)]
#[template(path = "records/block.html")]
pub struct Block {
    language: Language,
    /// Name of the field, and id of what has the fault.
    name: String,
    label: String,
    is_required: bool,
    /// What it belongs to may be left out as a whole.
    is_in_doubt: bool,
    support: Option<&'static str>,
    fault: Option<String>,
    body: BlockBody,
}

impl HtmlSafe for Block {}

enum BlockBody {
    Line {
        value: String,
        width: &'static str,
        inputmode: &'static str,
        /// The address that belongs to it can be looked up.
        has_address: bool,
    },
    Area {
        value: String,
        rows: u32,
    },
    Date {
        eras: Vec<CodeChoice>,
        parts: Vec<DatePart>,
    },
    List {
        choices: Vec<CodeChoice>,
    },
    /// One of them.
    Radios {
        choices: Vec<CodeChoice>,
    },
    /// Any of them.
    Checks {
        choices: Vec<CodeChoice>,
    },
    Group {
        blocks: Vec<Block>,
        in_a_row: bool,
        frameless: bool,
    },
    /// Where it may occur often: those that are there, and how one more is asked for.
    Repeated {
        blocks: Vec<Block>,
    },
}

/// A code that may be chosen, or an era.
struct CodeChoice {
    id: String,
    name: String,
    value: String,
    label: String,
    is_chosen: bool,
}

/// Year, month, day, hour or minute.
struct DatePart {
    id: String,
    name: String,
    value: String,
    unit: &'static str,
    width: &'static str,
}

/// The sections of a form, but for those of some groups.
pub fn sheet(language: Language, form: &Form, left_out: GroupSet) -> Vec<SheetSection> {
    SECTIONS
        .iter()
        .filter(|section| !left_out.contains(section.group))
        .map(|section| {
            let field = &section.field;
            SheetSection {
                id: field.name,
                title: words::label(language, field.name, field),
                is_required: field.occurs.is_mandatory(),
                is_open: field.occurs.is_mandatory()
                    || arrangement::is_at_hand(field.name)
                    || is_begun(form, field.name),
                blocks: section_blocks(language, form, section.group),
            }
        })
        .collect()
}

/// Whether something stands in a section, is wrong in it, or was just asked for.
fn is_begun(form: &Form, section: &str) -> bool {
    let start = format!("{section}.");
    // An era is always chosen, also of a date that nobody typed.
    let is_typed = |(name, value): (&str, &str)| !name.ends_with(".era") && !value.trim().is_empty();
    let is_in = |name: &str| name == section || name.starts_with(&start);
    form.under(&start).any(is_typed) || form.faults().any(|(name, _)| is_in(name)) || is_in(form.text(ADD))
}

/// The fields of the section of a group.
pub fn section_blocks(language: Language, form: &Form, group: ItemGroup) -> Vec<Block> {
    let section = SECTIONS.iter().find(|section| section.group == group);
    section.map_or_else(Vec::new, |section| {
        let name = section.field.name.to_owned();
        let at = InSheet { name: name.clone(), path: name, is_in_doubt: !section.field.occurs.is_mandatory() };
        Drawing { language, form }.children(&at, &section.field)
    })
}

/// Where a field is: its name in the form, its path among the words, and whether what it belongs to may be left out.
#[derive(Clone)]
struct InSheet {
    name: String,
    path: String,
    is_in_doubt: bool,
}

struct Drawing<'f> {
    language: Language,
    form: &'f Form,
}

impl Drawing<'_> {
    /// The fields in a field, which is certainly there or in doubt.
    fn children(&self, at: &InSheet, field: &'static Field) -> Vec<Block> {
        let FieldContent::Children(children) = field.content else { return Vec::new() };
        let child = |child: &'static Field| {
            let under = |of: &str| format!("{of}.{}", child.name);
            let at = InSheet { name: under(&at.name), path: under(&at.path), is_in_doubt: at.is_in_doubt };
            match (child.occurs.is_repeatable(), child.content) {
                (true, FieldContent::Text(_) | FieldContent::Children(_)) => self.repeated(at, child),
                _ => self.block(at, child),
            }
        };
        children.iter().filter(|child| !is_for_two(&at.path, child)).map(child).collect()
    }

    fn repeated(&self, at: InSheet, field: &'static Field) -> Block {
        let mut there = numbers(self.form, &at.name);
        let is_text = matches!(field.content, FieldContent::Text(_));
        if there.is_empty() && (field.occurs.is_mandatory() || is_text || arrangement::is_opened(&at.path)) {
            there.insert(1);
        }
        if self.form.text(ADD) == at.name {
            there.insert(there.last().map_or(1, |last| last + 1));
        }
        let label = words::label(self.language, &at.path, field);
        let count = there.len();
        let each = (1..).zip(there).map(|(place, number)| {
            let is_required = field.occurs.is_mandatory() && place == 1;
            let is_in_doubt = at.is_in_doubt || !is_required;
            let at = InSheet { name: format!("{}.{number}", at.name), is_in_doubt, ..at.clone() };
            let label = if count > 1 { format!("{label} {place}") } else { label.to_owned() };
            Block { label, is_required, ..self.block(at, field) }
        });
        let blocks = each.collect();
        Block { support: None, body: BlockBody::Repeated { blocks }, ..self.bare(at, field) }
    }

    fn block(&self, at: InSheet, field: &'static Field) -> Block {
        let body = self.body(&at, field);
        Block { body, ..self.bare(at, field) }
    }

    /// A block in which nothing stands yet.
    fn bare(&self, at: InSheet, field: &'static Field) -> Block {
        Block {
            language: self.language,
            label: words::label(self.language, &at.path, field).to_owned(),
            is_required: field.occurs.is_mandatory(),
            is_in_doubt: at.is_in_doubt,
            support: words::support(self.language, &at.path),
            fault: self.form.fault_of(&at.name).map(str::to_owned),
            body: BlockBody::Repeated { blocks: Vec::new() },
            name: at.name,
        }
    }

    fn body(&self, at: &InSheet, field: &'static Field) -> BlockBody {
        let InSheet { name, path, is_in_doubt } = at;
        let value = || self.form.text(name).to_owned();
        match field.content {
            FieldContent::Children(_) => {
                // One of many was told whether it is in doubt; of others the definition says so.
                let is_optional = !field.occurs.is_mandatory() && !field.occurs.is_repeatable();
                let inside = InSheet { is_in_doubt: *is_in_doubt || is_optional, ..at.clone() };
                BlockBody::Group {
                    blocks: self.children(&inside, field),
                    in_a_row: arrangement::is_in_a_row(path),
                    frameless: arrangement::is_frameless(path),
                }
            }
            FieldContent::Code(_) if field.occurs.is_repeatable() => {
                BlockBody::Checks { choices: self.checks(name, field) }
            }
            FieldContent::Code(_) if arrangement::is_in_sight(field) => {
                BlockBody::Radios { choices: self.radios(at, field) }
            }
            FieldContent::Code(_) => BlockBody::List { choices: self.codes(name, field) },
            FieldContent::Text(lexical) if is_date(lexical) => self.date(name, lexical),
            FieldContent::Text(lexical) => match arrangement::rows(lexical) {
                Some(rows) => BlockBody::Area { value: value(), rows },
                None => BlockBody::Line {
                    value: value(),
                    width: arrangement::width(path, lexical),
                    inputmode: arrangement::inputmode(lexical),
                    has_address: path == POSTAL_CODE,
                },
            },
        }
    }

    fn codes(&self, name: &str, field: &'static Field) -> Vec<CodeChoice> {
        let FieldContent::Code(list) = field.content else { return Vec::new() };
        let now = self.form.text(name);
        let choice = |(code, _): &(&'static str, &'static str)| CodeChoice {
            id: format!("{name}.{code}"),
            name: name.to_owned(),
            value: (*code).to_owned(),
            label: meaning(self.language, list, code),
            is_chosen: now == *code,
        };
        list.codes.iter().map(choice).collect()
    }

    /// The first has the id to which the summary of faults leads. What may be left out can be taken back.
    fn radios(&self, InSheet { name, is_in_doubt, .. }: &InSheet, field: &'static Field) -> Vec<CodeChoice> {
        let mut choices = self.codes(name, field);
        if *is_in_doubt || !field.occurs.is_mandatory() {
            let (ja, en) =
                if field.occurs.is_mandatory() { ("選択なし", "none") } else { ("記録なし", "not recorded") };
            choices.push(CodeChoice {
                id: format!("{name}.none"),
                name: name.clone(),
                value: String::new(),
                label: self.language.say(ja, en).to_owned(),
                is_chosen: self.form.filled(name).is_none(),
            });
        }
        if let Some(first) = choices.first_mut() {
            first.id = name.clone();
        }
        choices
    }

    fn checks(&self, name: &str, field: &'static Field) -> Vec<CodeChoice> {
        let chosen = chosen(self.form, name, field);
        let mut choices = self.codes(name, field);
        for (place, choice) in choices.iter_mut().enumerate() {
            choice.name = format!("{name}.{}", choice.value);
            choice.is_chosen = chosen.contains(&choice.value.as_str());
            let before = self.form.filled(&choice.name).unwrap_or(CHOSEN);
            choice.value = before.to_owned();
            if place == 0 {
                choice.id = name.to_owned();
            }
        }
        choices
    }

    fn date(&self, name: &str, lexical: Lexical) -> BlockBody {
        let typed = typed_date(self.form, name);
        let era = |(value, label): (String, &'static str)| CodeChoice {
            id: String::new(),
            name: format!("{name}.era"),
            label: era_name(self.language, label).to_owned(),
            is_chosen: value == typed.era,
            value,
        };
        let part = |part: &str, value: &str, (ja, en): (&'static str, &'static str), width| DatePart {
            id: if part == "year" { name.to_owned() } else { format!("{name}.{part}") },
            name: format!("{name}.{part}"),
            value: value.to_owned(),
            unit: self.language.say(ja, en),
            width,
        };
        let mut parts = vec![
            part("year", &typed.year, ("年", "year"), "w-year"),
            part("month", &typed.month, ("月", "month"), "w-part"),
            part("day", &typed.day, ("日", "day"), "w-part"),
        ];
        if lexical == Lexical::DateTime {
            parts.push(part("hour", &typed.hour, ("時", "hour"), "w-part"));
            parts.push(part("minute", &typed.minute, ("分", "minute"), "w-part"));
        }
        BlockBody::Date { eras: typed.eras().into_iter().map(era).collect(), parts }
    }
}

/// Bodies are named under a shield by two persons, and not in the form.
fn is_for_two(path: &str, field: &Field) -> bool {
    path == "shield" && field.name == "named"
}

fn era_name(language: Language, japanese: &'static str) -> &'static str {
    let english = match japanese {
        "令和" => "Reiwa",
        "平成" => "Heisei",
        "昭和" => "Showa",
        "大正" => "Taisho",
        "明治" => "Meiji",
        _ => "Western",
    };
    language.say(japanese, english)
}

impl Block {
    /// `aria-describedby`: what helps and what is wrong.
    fn described_by(&self) -> String {
        let support = self.support.map(|_| format!("{}-support", self.name));
        let fault = self.fault.as_ref().map(|_| format!("{}-fault", self.name));
        [support, fault].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn must(&self) -> &'static str {
        let (ja, en) = match (self.is_required, self.is_in_doubt) {
            (true, false) => ("※必須", "required"),
            (true, true) => ("※この欄を記入する場合は必須", "required if you fill in this part"),
            (false, _) => ("※任意", "optional"),
        };
        self.language.say(ja, en)
    }

    /// Whether it cannot be left out in any case.
    fn is_always_required(&self) -> bool {
        self.is_required && !self.is_in_doubt
    }
}
