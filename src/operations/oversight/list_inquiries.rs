//! Lists inquiries to and from a body (照会の一覧): ids and times, nothing of what was asked.

use std::{fmt, str::FromStr};

use serde::Serialize;
use uuid::Uuid;

use crate::{
    disclosure::done::{CarriesNoRecordData, Done},
    domain::organization::OrganizationCode,
    error::Error,
    gateway::Gateway,
    identity::Caller,
    planted::Planted,
    store::{self, oversight::InquiryLine},
};

const PAGE: i64 = 50;

/// Before which inquiry a page ends. Those without an answer come first, and then those with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InquiryPlace {
    is_open: bool,
    before: Uuid,
}

impl InquiryPlace {
    /// Of the first page.
    pub const FIRST: Self = Self { is_open: true, before: Uuid::max() };
}

impl fmt::Display for InquiryPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", if self.is_open { "open" } else { "answered" }, self.before)
    }
}

impl FromStr for InquiryPlace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (state, before) = text.split_once(':').ok_or(())?;
        let is_open = match state {
            "open" => true,
            "answered" => false,
            _ => return Err(()),
        };
        Ok(Self { is_open, before: Uuid::parse_str(before).map_err(|_| ())? })
    }
}

/// A page of inquiries is asked for.
pub struct ListInquiries {
    pub before: InquiryPlace,
}

/// Which way a question went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InquiryWay {
    /// The caller's body owns the record: it answers.
    Asked,
    /// The caller's body wants to know.
    Asking,
}

/// An inquiry on the list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ListedInquiry {
    pub inquiry: Uuid,
    pub record: Uuid,
    pub way: InquiryWay,
    /// Who asks: for the owner. Whoever asks is not told whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asker: Option<OrganizationCode>,
    /// RFC 3339, UTC.
    pub at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<String>,
}

/// A page of inquiries: first those without an answer, then those with one; of each the newest first.
#[derive(Serialize, CarriesNoRecordData, utoipa::ToSchema)]
pub struct ListedInquiryPage {
    pub inquiries: Vec<ListedInquiry>,
    /// Inquiries that would stand on this page and are not what the gateway wrote: they wait until they are had back.
    pub set_aside: usize,
    /// Give it as `before` for the next page; missing on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Lists the inquiries to which the caller's body is a party.
///
/// # Errors
/// The database failed.
pub async fn list_inquiries(
    gateway: &Gateway,
    caller: &Caller,
    ListInquiries { before }: ListInquiries,
) -> Result<Done<ListedInquiryPage>, Error> {
    let party = caller.organization();
    let (mut inquiries, mut set_aside, mut next) = (Vec::new(), 0, None);
    let mut tx = gateway.store.read().await?;
    let mut place = Some(before);
    while let Some(InquiryPlace { is_open, before }) = place.take() {
        let left = PAGE - i64::try_from(inquiries.len()).unwrap_or(PAGE);
        let page = store::oversight::inquiries_of_party(&mut tx, party, (is_open, before), left).await?;
        let is_full = page.inquiries.len() + page.set_aside >= usize::try_from(left).unwrap_or_default();
        let last = page.inquiries.last().map(|last| last.id);
        set_aside += page.set_aside;
        inquiries.extend(page.inquiries.into_iter().map(|inquiry| line(inquiry, party)));
        match last {
            Some(last) if is_full => next = Some(InquiryPlace { is_open, before: last }),
            _ if is_open => place = Some(InquiryPlace { is_open: false, before: Uuid::max() }),
            _ => {}
        }
    }
    drop(tx);
    Ok(Done::told(ListedInquiryPage { inquiries, set_aside, next: next.map(|place| place.to_string()) }))
}

fn line(InquiryLine { id, parties, at, answered_at }: InquiryLine, party: &OrganizationCode) -> ListedInquiry {
    let is_owner = parties.owner == *party;
    let asked = if Planted::NameTheAsked.is_planted() && !is_owner { parties.owner } else { parties.asker };
    let names = is_owner || Planted::NameTheAsked.is_planted();
    ListedInquiry {
        inquiry: id,
        record: parties.record,
        way: if is_owner { InquiryWay::Asked } else { InquiryWay::Asking },
        asker: names.then_some(asked),
        at: at.to_rfc3339(),
        answered_at: answered_at.map(|at| at.to_rfc3339()),
    }
}
