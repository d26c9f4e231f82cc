//! `#[derive(CarriesNoRecordData)]`: a reviewer sees beside the fields of a type that it holds none of a record.

use proc_macro::{TokenStream, TokenTree};

/// Says that a struct or enum holds ids, codes, times and counts alone. With `#[carries(version)]` the value of its field
/// `version` is the version of what was written, for `ETag`; with `#[carries(waiting)]` its own `waits` says whether it was
/// not done yet.
///
/// # Panics
/// Never: what is no struct or enum, or has parameters of its own, is a compile error.
#[proc_macro_derive(CarriesNoRecordData, attributes(carries))]
pub fn carries_no_record_data(item: TokenStream) -> TokenStream {
    let mut tokens = item.into_iter();
    let (mut name, mut has_version, mut may_wait) = (None, false, false);
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(attribute) => {
                has_version |= attribute.to_string() == "[carries(version)]";
                may_wait |= attribute.to_string() == "[carries(waiting)]";
            }
            TokenTree::Ident(word) if matches!(word.to_string().as_str(), "struct" | "enum") => {
                name = tokens.next().map(|token| token.to_string());
                break;
            }
            _ => {}
        }
    }
    let is_generic = matches!(tokens.next(), Some(TokenTree::Punct(punct)) if punct.as_char() == '<');
    let written = match name {
        Some(name) if !is_generic => {
            let version = if has_version { "fn version(&self) -> Option<i64> { Some(self.version) }" } else { "" };
            let waiting = if may_wait { "fn is_waiting(&self) -> bool { self.waits() }" } else { "" };
            format!("impl crate::disclosure::done::CarriesNoRecordData for {name} {{ {version} {waiting} }}")
        }
        _ => "compile_error!(\"CarriesNoRecordData is derived for a struct or enum without parameters\");".to_owned(),
    };
    written.parse().unwrap_or_default()
}
