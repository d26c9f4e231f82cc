//! The yearly staffing report of a child guidance center (児童相談所の職員体制).

use serde::{Deserialize, Serialize};

/// A fiscal year, which begins on 1 April.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FiscalYear(i64);

impl FiscalYear {
    /// Reads a year from 2000 to 2199; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|year| (2000..=2199).contains(year)).map(Self)
    }

    pub fn number(self) -> i64 {
        self.0
    }
}

impl std::fmt::Display for FiscalYear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Staff in post on 1 April of the fiscal year, in full-time equivalents rounded to whole persons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StaffingReport {
    /// 児童福祉司
    pub child_welfare_officers: u32,
    /// 児童福祉司スーパーバイザー
    pub supervising_officers: u32,
    /// 児童心理司
    pub psychologists: u32,
    /// 医師
    pub doctors: u32,
    /// 保健師
    pub public_health_nurses: u32,
    /// 弁護士
    pub lawyers: u32,
    /// 一時保護所職員
    pub shelter_staff: u32,
}

/// No center has more persons of one profession than this; a larger number is a slip of the hand.
const MAX_PERSONS: u32 = 2_000;

impl StaffingReport {
    /// Name of the first number that cannot be right.
    pub fn implausible(&self) -> Option<&'static str> {
        [
            ("child_welfare_officers", self.child_welfare_officers),
            ("supervising_officers", self.supervising_officers),
            ("psychologists", self.psychologists),
            ("doctors", self.doctors),
            ("public_health_nurses", self.public_health_nurses),
            ("lawyers", self.lawyers),
            ("shelter_staff", self.shelter_staff),
        ]
        .into_iter()
        .find(|(_, number)| *number > MAX_PERSONS)
        .map(|(name, _)| name)
    }
}
