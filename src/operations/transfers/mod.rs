//! Transfers of a record to another body (情報提供・ケース移管).

pub mod transfer_offer;
pub mod transfer_steps;
