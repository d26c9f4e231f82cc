//! What XML 1.0 (5th edition) demands of names, processing instructions and the declaration, and quick-xml lets pass.
//! The conformance suite found each of them: `make attack-surface`.

/// Production 4 without the colon, which separates a prefix (Namespaces in XML 1.0, production 4).
fn starts_name(c: char) -> bool {
    matches!(c,
        'A'..='Z' | 'a'..='z' | '_' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}' | '\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

/// Production 4a without the colon.
fn continues_name(c: char) -> bool {
    starts_name(c) || matches!(c, '0'..='9' | '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}' | '\u{2040}')
}

/// A name without a colon.
fn is_plain_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(starts_name) && characters.all(continues_name)
}

/// A name with at most one prefix: of an element or of an attribute.
pub fn is_qualified_name(text: &str) -> bool {
    match text.split_once(':') {
        Some((prefix, local)) => is_plain_name(prefix) && is_plain_name(local),
        None => is_plain_name(text),
    }
}

/// Productions 40 and 44: white space before each attribute. With the content of a start tag, name included.
pub fn attributes_are_apart(content: &str) -> bool {
    let mut open: Option<char> = None;
    let mut closed = false;
    for c in content.chars() {
        match open {
            Some(quote) if quote == c => (open, closed) = (None, true),
            Some(_) => {}
            None if closed && !is_blank(c) && c != '/' => return false,
            None => {
                closed = false;
                open = Some(c).filter(|c| matches!(c, '"' | '\''));
            }
        }
    }
    true
}

/// Production 16, with the content between `<?` and `?>`: a target that is a name, then white space or the end. The
/// target `xml` is the declaration's alone.
pub fn is_instruction(content: &str) -> bool {
    let target = content.split(is_blank).next().unwrap_or_default();
    is_plain_name(target) && !target.eq_ignore_ascii_case("xml")
}

/// Production 23, with the content between `<?` and `?>`, for the one version and the one encoding that are taken.
pub fn is_declaration(content: &str) -> bool {
    let Some(rest) = content.strip_prefix("xml").and_then(|rest| member(rest, "version", &["1.0"])) else {
        return false;
    };
    let rest = member(rest, "encoding", &["utf-8"]).unwrap_or(rest);
    let rest = member(rest, "standalone", &["yes", "no"]).unwrap_or(rest);
    rest.trim_matches(is_blank).is_empty()
}

/// What follows `name="value"`, where that follows white space and the value is one of these. Encodings are named in
/// any case; the rest is in lower case.
fn member<'t>(text: &'t str, name: &str, values: &[&str]) -> Option<&'t str> {
    let trimmed = text.trim_start_matches(is_blank);
    if trimmed.len() == text.len() {
        return None;
    }
    let rest = trimmed.strip_prefix(name)?.trim_start_matches(is_blank).strip_prefix('=')?;
    let rest = rest.trim_start_matches(is_blank);
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (value, rest) = rest.get(1..)?.split_once(quote)?;
    let any_case = name == "encoding";
    let known = values.iter().any(|known| if any_case { known.eq_ignore_ascii_case(value) } else { *known == value });
    known.then_some(rest)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_those_of_production_23() {
        for good in [
            r#"xml version="1.0""#,
            "xml version = '1.0'\n encoding='UTF-8' ",
            r#"xml version="1.0" encoding="utf-8" standalone="no""#,
            r#"xml version="1.0" standalone='yes'"#,
        ] {
            assert!(is_declaration(good), "{good}");
        }
        for bad in [
            "xml",
            r#"xml encoding="UTF-8""#,
            r#"xml version="1.1""#,
            r#"xml version="1.0" encoding="Shift_JIS""#,
            r#"xml version="1.0"encoding="UTF-8""#,
            r#"xml version="1.0" standalone="yes" encoding="UTF-8""#,
            r#"xml version="1.0" standalone="YES""#,
            r#"xml version="1.0" version="1.0""#,
            r#"xml version="1.0" valid="no""#,
            r#"xml version="1.0'"#,
        ] {
            assert!(!is_declaration(bad), "{bad}");
        }
    }

    #[test]
    fn white_space_stands_before_each_attribute() {
        for good in ["a", "a ", r#"a b="c" d='"'"#, "a b = '' /", "a\n b=''\tc=''"] {
            assert!(attributes_are_apart(good), "{good}");
        }
        for bad in [r#"a b="c"d="e""#, r#"a b="c"'"#, "a b=''c"] {
            assert!(!attributes_are_apart(bad), "{bad}");
        }
    }

    #[test]
    fn names_and_instructions_begin_with_a_letter() {
        for good in ["a", "記録", "n:childRecord", "_x-1.2"] {
            assert!(is_qualified_name(good), "{good}");
        }
        for bad in ["", ".doc", "123", ":a", "a:", "a:b:c", "a:1", "-a", "a\u{3000}b"] {
            assert!(!is_qualified_name(bad), "{bad}");
        }
        assert!(is_instruction("target") && is_instruction("target any?thing"));
        for bad in ["", " ", " target", "target+++", "xml", "XmL x", "a:b", "?"] {
            assert!(!is_instruction(bad), "{bad}");
        }
    }
}
