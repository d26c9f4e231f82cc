//! The API of national search.

use serde_json::Value;

use super::{
    route::{ApiRoute, BODIES, CASEWORK, post, run},
    shape::{Joined, Schemas},
};
use crate::{
    disclosure::{gate::With, view::FoundChildren},
    operations::search::search_nationwide::{SearchFacts, SearchRequest, search_nationwide},
};

pub const ROUTES: &[ApiRoute] = &[post("/v1/searches")
    .words("全国検索", "Search nationally")
    .open_to(BODIES, CASEWORK)
    .takes::<SearchRequest>()
    .answers::<With<FoundChildren, SearchFacts>>()
    .unkeyed()
    .runs(run!(search_nationwide, call => call.json::<SearchRequest>()?))];

impl Joined for FoundChildren {
    const MEMBER: Option<&'static str> = None;

    fn schema(schemas: &mut Schemas) -> Value {
        schemas.refer::<Self>()
    }
}
