//! Fields of a form: label, whether it must be filled, what helps, what was typed, what is wrong with it.

use askama::{Template, filters::HtmlSafe};

use super::{form::Form, language::Language};

/// `aria-describedby` of a field: what helps, and what is wrong.
fn described_by(name: &str, has_support: bool, has_fault: bool) -> String {
    let support = has_support.then(|| format!("{name}-support"));
    let fault = has_fault.then(|| format!("{name}-fault"));
    [support, fault].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// A field in which something is typed.
#[derive(Template)]
#[template(path = "parts/input.html")]
pub struct Input {
    language: Language,
    name: &'static str,
    label: String,
    is_required: bool,
    support: Option<String>,
    kind: &'static str,
    value: String,
    fault: Option<String>,
    /// Class of its width: what is expected fits.
    width: &'static str,
    autocomplete: &'static str,
    inputmode: &'static str,
}

impl HtmlSafe for Input {}

impl Input {
    /// A line of text that may be left out.
    pub fn line(language: Language, form: &Form, name: &'static str, label: (&str, &str)) -> Self {
        form.is_called(name, language.of_pair(label));
        Self {
            language,
            name,
            label: language.of_pair(label).to_owned(),
            is_required: false,
            support: None,
            kind: "text",
            value: form.text(name).to_owned(),
            fault: form.fault_of(name).map(str::to_owned),
            width: "w-m",
            autocomplete: "off",
            inputmode: "",
        }
    }

    /// A password, which no page repeats.
    pub fn password(language: Language, form: &Form, name: &'static str, label: (&str, &str)) -> Self {
        let autocomplete = if name == "password" { "current-password" } else { "new-password" };
        Self { kind: "password", value: String::new(), autocomplete, ..Self::line(language, form, name, label) }
    }

    /// The code of a device, which works once: no page repeats it.
    pub fn device_code(language: Language, form: &Form, name: &'static str, label: (&str, &str)) -> Self {
        let field = Self::line(language, form, name, label);
        Self { value: String::new(), width: "w-s", autocomplete: "one-time-code", ..field }
    }

    pub fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    pub fn support(self, text: (&str, &str)) -> Self {
        Self { support: Some(self.language.of_pair(text).to_owned()), ..self }
    }

    pub fn width(self, width: &'static str) -> Self {
        Self { width, ..self }
    }

    pub fn autocomplete(self, autocomplete: &'static str) -> Self {
        Self { autocomplete, ..self }
    }

    /// Digits are typed: a tablet shows them first.
    pub fn number(self) -> Self {
        Self { inputmode: "numeric", ..self }
    }

    fn described_by(&self) -> String {
        described_by(self.name, self.support.is_some(), self.fault.is_some())
    }
}

/// One of several answers, shown one below another or in a list that opens.
#[derive(Template)]
#[template(path = "parts/choice.html")]
pub struct ChoiceInput {
    language: Language,
    name: &'static str,
    label: String,
    is_required: bool,
    support: Option<String>,
    is_list: bool,
    options: Vec<(String, String)>,
    chosen: String,
    fault: Option<String>,
}

impl HtmlSafe for ChoiceInput {}

impl ChoiceInput {
    /// Round buttons, of which one is pressed: `first` where nothing was chosen yet.
    pub fn of(language: Language, form: &Form, name: &'static str, label: (&str, &str)) -> Self {
        form.is_called(name, language.of_pair(label));
        Self {
            language,
            name,
            label: language.of_pair(label).to_owned(),
            is_required: false,
            support: None,
            is_list: false,
            options: Vec::new(),
            chosen: form.text(name).to_owned(),
            fault: form.fault_of(name).map(str::to_owned),
        }
    }

    /// A list that opens.
    pub fn list(self) -> Self {
        Self { is_list: true, ..self }
    }

    /// An answer: what is sent, and what is read.
    pub fn option(mut self, value: &str, label: (&str, &str)) -> Self {
        self.options.push((value.to_owned(), self.language.of_pair(label).to_owned()));
        self
    }

    /// What is chosen where nothing was.
    pub fn at_first(self, value: &str) -> Self {
        if self.chosen.is_empty() { Self { chosen: value.to_owned(), ..self } } else { self }
    }

    pub fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    pub fn support(self, text: (&str, &str)) -> Self {
        Self { support: Some(self.language.of_pair(text).to_owned()), ..self }
    }

    fn described_by(&self) -> String {
        described_by(self.name, self.support.is_some(), self.fault.is_some())
    }
}

/// A text of several lines.
#[derive(Template)]
#[template(path = "parts/text_area.html")]
pub struct TextArea {
    language: Language,
    name: &'static str,
    label: String,
    is_required: bool,
    support: Option<String>,
    value: String,
    fault: Option<String>,
}

impl HtmlSafe for TextArea {}

impl TextArea {
    pub fn of(language: Language, form: &Form, name: &'static str, label: (&str, &str)) -> Self {
        form.is_called(name, language.of_pair(label));
        Self {
            language,
            name,
            label: language.of_pair(label).to_owned(),
            is_required: false,
            support: None,
            value: form.text(name).to_owned(),
            fault: form.fault_of(name).map(str::to_owned),
        }
    }

    pub fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    pub fn support(self, text: (&str, &str)) -> Self {
        Self { support: Some(self.language.of_pair(text).to_owned()), ..self }
    }

    fn described_by(&self) -> String {
        described_by(self.name, self.support.is_some(), self.fault.is_some())
    }
}
