//! The API of what there is to do.

use super::route::{ALL, ANY, ApiRoute, get, run};
use crate::operations::today::view_today::{Today, view_today};

pub const ROUTES: &[ApiRoute] = &[get("/v1/today")
    .words("対応が必要な事項と新着", "What there is to do, and what is new")
    .open_to(ALL, ANY)
    .answers::<Today>()
    .runs(run!(view_today))];
