//! The buttons of a form of a record, by the names of what they send beside the form, and the fields in which a form knows
//! where it belongs.

use crate::{
    error::{Error, RequestError},
    web::form::Form,
};

/// One more of what may occur often; its value says of what.
pub const ADD: &str = "add";
/// The address of the postal code is to be filled in; its value says where the code stands.
pub const LOOK_UP: &str = "look_up";
/// The form is to be kept as a draft.
pub const SAVE: &str = "save";
/// A section that is closed is to be opened in the form.
pub const OPEN: &str = "open";
/// The draft as which the form is kept.
pub const DRAFT: &str = "draft";
/// The version from which a form was made.
pub const VERSION: &str = "version";
/// Says of a section that a shield may close that it is in the form: `with.contact`.
pub const WITH: &str = "with.";

/// For what a form was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressed {
    Add,
    LookUp,
    Save,
    /// The script saves from time to time, and shows no page.
    SaveByScript,
    Open,
    /// None of them: it is to be registered, or written.
    Send,
}

/// What was pressed.
///
/// # Errors
/// [`RequestError::FormField`] where it is more than one button, or none that there is.
pub fn pressed(form: &Form) -> Result<Pressed, Error> {
    let by_value = |name, pressed| form.value(name).map(|_| pressed);
    let save = match form.value(SAVE) {
        Some("page") => Some(Pressed::Save),
        Some("script") => Some(Pressed::SaveByScript),
        Some(_) => return Err(RequestError::FormField.into()),
        None => None,
    };
    let all = [by_value(ADD, Pressed::Add), by_value(LOOK_UP, Pressed::LookUp), by_value(OPEN, Pressed::Open), save];
    let mut pressed = all.into_iter().flatten();
    match (pressed.next(), pressed.next()) {
        (one, None) => Ok(one.unwrap_or(Pressed::Send)),
        _ => Err(RequestError::FormField.into()),
    }
}

/// Whether a form of a record may have a button or field of this name beside those of the record.
pub fn is_button(name: &str) -> bool {
    matches!(name, ADD | LOOK_UP | SAVE | DRAFT)
}
