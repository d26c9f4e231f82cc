//! Fields of a form: label, whether it must be filled, what helps, what was typed, what is wrong with it.

use askama::{Template, filters::HtmlSafe};

use super::{form::Form, language::Language};

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

    /// `aria-describedby`: what helps and what is wrong.
    fn described_by(&self) -> String {
        let support = self.support.as_ref().map(|_| format!("{}-support", self.name));
        let fault = self.fault.as_ref().map(|_| format!("{}-fault", self.name));
        [support, fault].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}
