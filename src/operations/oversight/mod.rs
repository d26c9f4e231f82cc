//! What others look after: break-glass, inquiries, serious cases, staffing.

pub mod ask_owner;
pub mod break_glass;
pub mod list_break_glass;
pub mod list_inquiries;
pub mod report_staffing;
pub mod review_serious_case;
