//! Postal codes (郵便番号): which municipality and neighbourhood one stands for. The data is that of `data/postal`.

/// Lines as `data/postal/README.md` says.
const CODES: &str = include_str!("../../data/postal/postal_codes.txt");

/// A place for which a postal code stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostalPlace {
    /// Code of a municipality or ward, six digits.
    pub municipality: &'static str,
    pub prefecture: &'static str,
    pub city: &'static str,
    /// Empty where the code stands for no one neighbourhood.
    pub neighbourhood: &'static str,
}

/// The places for which a code of seven digits stands, a hyphen among them or not; none where there is no such code. All of
/// the list is read, in a few milliseconds: whoever fills a form in asks for it once.
pub fn places_of(code: &str) -> Vec<PostalPlace> {
    let digits: String = code.chars().filter(|letter| *letter != '-').collect();
    let (Some(start), Some(end), 7) = (digits.get(..3), digits.get(3..), digits.len()) else { return Vec::new() };
    let (mut found, mut area, mut is_under) = (Vec::new(), ("", "", ""), false);
    for line in CODES.lines() {
        if let Some(municipality) = line.strip_prefix('=') {
            let mut parts = municipality.split('\t');
            let mut part = || parts.next().unwrap_or_default();
            area = (part(), part(), part());
        } else if let Some(of) = line.strip_prefix('@') {
            is_under = of == start;
        } else if let Some(neighbourhood) = line.strip_prefix(end).filter(|_| is_under) {
            let (municipality, prefecture, city) = area;
            found.push(PostalPlace { municipality, prefecture, city, neighbourhood });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{organization::OrganizationCode, registry::Registry};

    #[test]
    fn a_code_leads_to_its_neighbourhood() {
        let shiroi =
            PostalPlace { municipality: "122327", prefecture: "千葉県", city: "白井市", neighbourhood: "復" };
        assert_eq!(places_of("270-1422"), [shiroi]);
        assert_eq!(places_of("2701422"), [shiroi]);
        // The rest of a municipality, several neighbourhoods, and several municipalities.
        assert_eq!(places_of("2701400")[0].neighbourhood, "");
        assert!(places_of("0791571").len() > 1);
        let cities: std::collections::BTreeSet<_> = places_of("0040000").iter().map(|place| place.city).collect();
        assert_eq!(cities.len(), 2);
        for none in ["", "270", "999-9999", "27０1422", "270142２", "=011011", "@060001"] {
            assert!(places_of(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn every_municipality_of_the_list_is_in_the_registry() {
        let registry = Registry::embedded().unwrap();
        for line in CODES.lines().filter_map(|line| line.strip_prefix('=')) {
            let code = OrganizationCode::parse(line.split('\t').next().unwrap()).unwrap();
            assert!(registry.body(&code).is_some(), "{line}");
        }
    }
}
