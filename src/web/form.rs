//! What a browser sends of a form: its fields as they were typed, to be read, or shown again with what is wrong.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Mutex, PoisonError},
};

use super::{csrf, language::Language};
use crate::{
    domain::idempotency::Idempotency,
    error::{CallerError, Error, RequestError},
    face::call::Call,
};

/// Of a form: by which a form that is sent twice is known.
pub const KEY: &str = "form_key";

/// The fields of a form, in the order in which they were sent.
#[derive(Default)]
pub struct Form {
    fields: Vec<(String, String)>,
    /// Where each field stands among them.
    places: BTreeMap<String, usize>,
    /// Fields with what is wrong with each, in the order in which it was said.
    faults: Vec<(String, String)>,
    /// What is wrong with the whole: title, and what to do.
    refusal: Option<(String, String)>,
    /// What the fields are called, as far as they were laid out.
    labels: Mutex<BTreeMap<String, String>>,
}

impl Form {
    /// Reads a form. Whoever sends something that the page does not ask for is told.
    ///
    /// # Errors
    /// [`RequestError::MediaType`]; [`RequestError::ForeignForm`]; a field that the form does not have, or one of its
    /// fields twice.
    pub fn read(call: &Call, known: impl Fn(&str) -> bool) -> Result<Self, Error> {
        if call.content_type() != "application/x-www-form-urlencoded" {
            return Err(RequestError::MediaType.into());
        }
        let fields = form_urlencoded::parse(&call.body);
        Self::sent(call, fields.map(|(name, value)| (name.into_owned(), value.into_owned())), known)
    }

    /// The same of fields that came in another way.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn sent(
        call: &Call,
        fields: impl Iterator<Item = (String, String)>,
        known: impl Fn(&str) -> bool,
    ) -> Result<Self, Error> {
        let mut form = Self::default();
        for (name, value) in fields {
            let is_known = known(&name) || matches!(name.as_str(), csrf::FIELD | KEY);
            if !is_known || form.value(&name).is_some() {
                return Err(RequestError::FormField.into());
            }
            form.put(name, value.replace("\r\n", "\n"));
        }
        csrf::check(&call.fingerprint, &call.headers, form.text(csrf::FIELD))?;
        Ok(form)
    }

    /// A form of these fields alone.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of(call: &Call, fields: &[&str]) -> Result<Self, Error> {
        Self::read(call, |name| fields.contains(&name))
    }

    /// A form with values that nobody typed.
    pub fn with(fields: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut form = Self::default();
        fields.into_iter().for_each(|(name, value)| form.put(name, value));
        form
    }

    /// Puts a value in a field.
    pub fn put(&mut self, name: String, value: String) {
        match self.places.get(&name).and_then(|place| self.fields.get_mut(*place)) {
            Some(field) => field.1 = value,
            None => {
                self.places.insert(name.clone(), self.fields.len());
                self.fields.push((name, value));
            }
        }
    }

    /// Fields whose names begin with a text, in the order of their names.
    pub fn under<'f>(&'f self, start: &'f str) -> impl Iterator<Item = (&'f str, &'f str)> {
        let places = self
            .places
            .range::<str, _>((Bound::Included(start), Bound::Unbounded))
            .take_while(move |(name, _)| name.starts_with(start));
        places.filter_map(|(_, place)| self.fields.get(*place)).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A field as it was typed; `None` where it was not sent.
    pub fn value(&self, name: &str) -> Option<&str> {
        let place = self.places.get(name)?;
        self.fields.get(*place).map(|(_, value)| value.as_str())
    }

    /// A field as it was typed; empty where it was not sent.
    pub fn text(&self, name: &str) -> &str {
        self.value(name).unwrap_or_default()
    }

    /// A field in which something stands.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.value(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// The key by which it is known when it is sent again.
    ///
    /// # Errors
    /// It has none.
    pub fn idempotency(&self, call: &Call) -> Result<Idempotency, Error> {
        call.keyed(self.text(KEY)).ok_or_else(|| RequestError::FormField.into())
    }

    /// Says what is wrong with a field; the first thing counts.
    pub fn fault(&mut self, name: &str, message: impl Into<String>) {
        if self.fault_of(name).is_none() {
            self.faults.push((name.to_owned(), message.into()));
        }
    }

    pub fn fault_of(&self, name: &str) -> Option<&str> {
        self.faults().find(|(of, _)| *of == name).map(|(_, message)| message)
    }

    pub fn is_faulty(&self) -> bool {
        !self.faults.is_empty() || self.refusal.is_some()
    }

    /// Notes what a field is called. It is laid out before the summary of what is wrong is written.
    pub fn is_called(&self, name: &str, label: &str) {
        let mut labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        labels.insert(name.to_owned(), label.to_owned());
    }

    /// Fields with what is wrong with each, for the summary: said with what the field is called, where it does not say so.
    pub fn summary(&self, language: Language) -> Vec<(String, String)> {
        let labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        let said = |(name, message): (&str, &str)| {
            let message = match labels.get(name).filter(|label| !message.contains(label.as_str())) {
                Some(label) => format!("{label}{}{message}", language.say("：", ": ")),
                None => message.to_owned(),
            };
            (name.to_owned(), message)
        };
        self.faults().map(said).collect()
    }

    /// Fields with what is wrong with them.
    pub fn faults(&self) -> impl Iterator<Item = (&str, &str)> {
        self.faults.iter().map(|(name, message)| (name.as_str(), message.as_str()))
    }

    pub fn refusal(&self) -> Option<(&str, &str)> {
        self.refusal.as_ref().map(|(title, detail)| (title.as_str(), detail.as_str()))
    }

    /// Says in other words what to do about a refusal.
    pub fn say_instead(&mut self, detail: String) {
        if let Some(refusal) = &mut self.refusal {
            refusal.1 = detail;
        }
    }

    /// Takes what an operation said against the form, to be shown with it.
    ///
    /// # Errors
    /// The error, where it is not of what was typed: a decision that is to be made again, or a caller who is gone.
    pub fn refused(&mut self, error: Error, language: Language) -> Result<u16, Error> {
        let problem = error.problem();
        let is_of_caller = matches!(error, Error::Caller(CallerError::Unrecognized(_) | CallerError::ShownLongAgo));
        if problem.status >= 500 || is_of_caller || matches!(error, Error::Journal(_)) {
            return Err(error);
        }
        if let Error::Request(RequestError::Field { field, rule_ja, rule_en }) = error {
            self.fault(field, language.say(rule_ja, rule_en));
            return Ok(problem.status);
        }
        let title = language.say(problem.title_ja, problem.title_en);
        let detail = language.say(&problem.detail_ja, &problem.detail_en);
        self.refusal = Some((title.to_owned(), detail.to_owned()));
        Ok(problem.status)
    }
}
