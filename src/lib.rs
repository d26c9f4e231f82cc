//! Tsunagi (繋ぎ): the gateway through which municipalities, child guidance centers and the ministry share what
//! they know of a child at risk.
pub mod clock;
pub mod disclosure;
pub mod domain;
pub mod error;
pub mod identity;
pub mod search;
pub mod store;
pub mod wire;
