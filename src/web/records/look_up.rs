//! An address of its postal code, put into the form: the municipality and the neighbourhood, never over what was typed.

use super::typed_date::plain;
use crate::{
    domain::postal::places_of,
    web::{form::Form, language::Language},
};

/// Where a form has a postal code beside an address.
pub const POSTAL_CODE: &str = "contact.postalCode";
const MUNICIPALITY: &str = "contact.municipality";
const ADDRESS: &str = "contact.address";

/// Neighbourhoods that are named where a code stands for more than one.
const NAMED: usize = 12;

/// Fills the address in, or says at its field why not.
pub fn look_up(form: &mut Form, language: Language) {
    let places = places_of(&plain(form.text(POSTAL_CODE)));
    let Some(first) = places.first() else {
        return form.fault(
            POSTAL_CODE,
            language.say(
                "この郵便番号は住所の一覧にありません。番号を確かめるか、住所を直接入力してください。",
                "No place is known for this code. Look at it again, or type the address.",
            ),
        );
    };
    if places.iter().all(|place| place.municipality == first.municipality) {
        form.put(MUNICIPALITY.to_owned(), first.municipality.to_owned());
    }
    if places.len() > 1 {
        let names: Vec<String> =
            places.iter().take(NAMED).map(|place| format!("{}{}", place.city, place.neighbourhood)).collect();
        let (names, more) = (names.join("、"), if places.len() > NAMED { "…" } else { "" });
        let said = match language {
            Language::Japanese => {
                format!(
                    "この郵便番号の地域は1つではありません。該当する地域の住所を入力してください（{names}{more}）。"
                )
            }
            Language::English => format!("It stands for several places: type the address. ({names}{more})"),
        };
        return form.fault(POSTAL_CODE, said);
    }
    let typed = form.text(ADDRESS).trim().to_owned();
    if typed.is_empty() {
        form.put(ADDRESS.to_owned(), first.neighbourhood.to_owned());
    } else if !typed.contains(first.neighbourhood) {
        let named = format!("{}{}", first.city, first.neighbourhood);
        let said = match language {
            Language::Japanese => {
                format!("住所は入力済みのため、書き換えていません。この郵便番号の住所は「{named}」です。")
            }
            Language::English => format!("An address was typed already and stays. The code stands for {named}."),
        };
        form.fault(ADDRESS, said);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(code: &str, address: &str) -> Form {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut form = Form::with([field(POSTAL_CODE, code), field(ADDRESS, address), field(MUNICIPALITY, "172014")]);
        look_up(&mut form, Language::Japanese);
        form
    }

    #[test]
    fn an_address_is_filled_in_and_never_over_what_was_typed() {
        let form = after("２７０－１４２２", "");
        assert_eq!((form.text(MUNICIPALITY), form.text(ADDRESS), form.is_faulty()), ("122327", "復", false));
        let form = after("270-1422", "復1123番地");
        assert_eq!((form.text(ADDRESS), form.is_faulty()), ("復1123番地", false));
        let form = after("270-1422", "架空町1丁目");
        assert_eq!(form.text(ADDRESS), "架空町1丁目");
        assert!(form.fault_of(ADDRESS).unwrap().contains("「白井市復」"));
        let form = after("0040000", "");
        assert_eq!((form.text(MUNICIPALITY), form.text(ADDRESS)), ("172014", ""));
        assert!(form.fault_of(POSTAL_CODE).unwrap().contains("札幌市厚別区、札幌市清田区"));
        assert!(after("", "").fault_of(POSTAL_CODE).is_some());
    }
}
