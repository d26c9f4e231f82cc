//! The API of keys, for the operator.

use super::route::{ADMINISTER, ApiRoute, OPERATOR, get, post, run};
use crate::operations::{
    keys::rewrap_keys::{BeginRewrap, KeysView, RetireMasters, RewrapView, begin_rewrap, retire_masters, view_keys},
    waiting::{
        SharpReply,
        ask::{RequestRetirement, request_retirement},
    },
};

pub const ROUTES: &[ApiRoute] = &[
    get("/v1/keys")
        .words("鍵の世代と掛け替えの進捗", "Generations of keys, and how far a pass is")
        .open_to(OPERATOR, ADMINISTER)
        .answers::<KeysView>()
        .runs(run!(view_keys)),
    post("/v1/keys/retirements")
        .words("不要になったマスター鍵を廃止する", "Retire master keys that nothing needs")
        .open_to(OPERATOR, ADMINISTER)
        .answers::<KeysView>()
        .runs(run!(retire_masters, call => RetireMasters { idempotency: call.idempotency()? })),
    post("/v1/keys/retirement-requests")
        .words("不要になったマスター鍵の廃止を申請する", "Ask to retire master keys")
        .open_to(OPERATOR, ADMINISTER)
        .accepts::<SharpReply>()
        .runs(run!(request_retirement, call => RequestRetirement { idempotency: call.idempotency()? })),
    post("/v1/keys/rewraps")
        .words("鍵を掛け替える", "Wrap keys anew")
        .open_to(OPERATOR, ADMINISTER)
        .accepts::<RewrapView>()
        .runs(run!(begin_rewrap, call => BeginRewrap { idempotency: call.idempotency()? })),
];
