//! Organizations and their codes.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// Code of an organization: a 6-digit 全国地方公共団体コード, that of a center with a two-digit suffix
/// (`120006-01`), or one of `ministry` and `operator`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, utoipa::ToSchema)]
#[schema(value_type = String, example = "122319")]
pub struct OrganizationCode(Arc<str>);

/// Kinds of organization (機関).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum OrganizationKind {
    Municipality,
    ChildGuidanceCenter,
    Prefecture,
    Ministry,
    Operator,
}

impl OrganizationKind {
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl OrganizationCode {
    /// Reads a code and checks its form and check digit; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let local = match text {
            "ministry" | "operator" => return Some(Self(text.into())),
            _ => text.split_once('-').map_or(Some(text), |(base, suffix)| {
                (suffix.len() == 2 && suffix.bytes().all(|b| b.is_ascii_digit())).then_some(base)
            })?,
        };
        has_valid_check_digit(local).then(|| Self(text.into()))
    }

    pub fn ministry() -> Self {
        Self("ministry".into())
    }

    pub fn operator() -> Self {
        Self("operator".into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Number of the prefecture, `01` to `47`; `00` for the bodies of the state.
    pub fn prefecture(&self) -> &str {
        if self.0.starts_with(|c: char| c.is_ascii_digit()) { self.0.get(..2).unwrap_or("00") } else { "00" }
    }

    /// What kind of organization the code denotes.
    pub fn kind(&self) -> OrganizationKind {
        match self.as_str() {
            "ministry" => OrganizationKind::Ministry,
            "operator" => OrganizationKind::Operator,
            code if code.contains('-') => OrganizationKind::ChildGuidanceCenter,
            code if code.get(2..5) == Some("000") => OrganizationKind::Prefecture,
            _ => OrganizationKind::Municipality,
        }
    }
}

/// 全国地方公共団体コード: five digits weighted 6 to 2, modulo 11, last digit of what is left to 11.
fn has_valid_check_digit(code: &str) -> bool {
    let digits: Vec<u32> = code.chars().filter_map(|c| c.to_digit(10)).collect();
    let [a, b, c, d, e, check] = digits.as_slice() else { return false };
    if code.len() != 6 {
        return false;
    }
    let sum = a * 6 + b * 5 + c * 4 + d * 3 + e * 2;
    let expected = (11 - sum % 11) % 10;
    *check == expected
}

impl fmt::Display for OrganizationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OrganizationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for OrganizationCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for OrganizationCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("機関コードではありません / not an organization code"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits() {
        for good in ["011002", "122319", "131130", "221384", "120006-01", "ministry"] {
            assert!(OrganizationCode::parse(good).is_some(), "{good}");
        }
        for bad in ["011003", "12231", "1223190", "120006-1", "120006-0a", "", "Ministry", "１２２３１９"] {
            assert!(OrganizationCode::parse(bad).is_none(), "{bad}");
        }
    }
}
