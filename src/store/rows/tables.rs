//! The tables whose rows are authenticated, and those that need not be. A test fails for a table or a column of the database
//! that is in neither list.

use super::table::{MarkedTable, bytes, id, int, text};

const AT_ITS_PLACE: &str =
    "sealed for this row alone and never written again: an edit does not open, and there is no older state";
const NUMBERED: &str = "positions have no gap: one that is missing or stands twice is seen when it is read";

pub static PREFECTURE_KEYS: MarkedTable = MarkedTable::new(
    1,
    "prefecture_keys",
    &[text("prefecture").key(), int("generation").key(), int("master_generation"), bytes("sealed_key")],
);

pub static ORGANIZATIONS: MarkedTable = MarkedTable::new(
    2,
    "organizations",
    &[
        text("code").key(),
        int("active"),
        text("relay_desk"),
        text("settings"),
        int("connected_at"),
        int("last_upload_at"),
    ],
)
.remembered();

pub static TERMINALS: MarkedTable = MarkedTable::new(
    3,
    "terminals",
    &[text("serial").key(), text("organization"), text("kind"), text("label"), int("active"), int("registered_at")],
)
.remembered();

pub static STAFF: MarkedTable = MarkedTable::new(
    4,
    "staff",
    &[
        text("organization").key(),
        text("id").key(),
        text("roles"),
        int("active"),
        bytes("sealed_name"),
        text("password_hash").harmless("read by nobody: what a person signs in with is a credential"),
    ],
)
.remembered();

pub static SESSIONS: MarkedTable = MarkedTable::new(
    5,
    "sessions",
    &[
        bytes("token_digest").key(),
        text("organization"),
        text("officer"),
        text("terminal"),
        int("expires_at"),
        int("second_factor"),
        int("idle_at"),
    ],
)
.remembered();

pub static RECORDS: MarkedTable = MarkedTable::new(
    6,
    "records",
    &[
        id("id").key(),
        text("prefecture").place(),
        text("owner"),
        int("version"),
        int("owned_since"),
        int("closed"),
        int("closed_at"),
        int("serious"),
        int("searchable"),
        int("abuse_case"),
        text("residence"),
        int("shielded"),
        text("shield_named"),
        text("shield_lift_asked_by").harmless("read by nobody: a lift that is asked for is a waiting act"),
        bytes("sealed_key"),
        bytes("sealed_index"),
        int("registered_at"),
        int("updated_at"),
        bytes("parts"),
    ],
)
.remembered();

pub static RECORD_VERSIONS: MarkedTable = MarkedTable::new(
    7,
    "record_versions",
    &[
        id("record").key(),
        int("version").key(),
        text("prefecture").place().elsewhere("where the record lies: elsewhere the version is missing, which is seen"),
        text("organization"),
        text("officer"),
        text("change_kind"),
        int("at"),
        bytes("sealed_body").elsewhere(AT_ITS_PLACE),
    ],
);

pub static ATTACHMENTS: MarkedTable = MarkedTable::new(
    8,
    "attachments",
    &[
        id("record").key(),
        id("id").key(),
        text("prefecture").place().elsewhere("where the record lies: elsewhere the file is missing, which is seen"),
        text("media_type"),
        text("kind"),
        int("bytes"),
        int("withheld"),
        int("at"),
        bytes("sealed_content").elsewhere(AT_ITS_PLACE),
    ],
)
.hanging_on("records", "record");

pub static PROVISIONS: MarkedTable = MarkedTable::new(
    9,
    "provisions",
    &[id("record").key(), text("organization").key(), int("version"), int("item_groups"), int("at")],
)
.hanging_on("records", "record");

pub static TRANSFERS: MarkedTable = MarkedTable::new(
    10,
    "transfers",
    &[
        id("id").key(),
        id("record"),
        text("owner"),
        text("receiver"),
        text("state"),
        int("urgent"),
        int("version"),
        int("item_groups"),
        int("opened_at"),
        int("offered_at"),
        int("expires_at"),
        int("safety_due_at"),
        int("safety_checked_at"),
        int("escalated_at"),
        bytes("sealed_note"),
    ],
)
.hanging_on("records", "record");

pub static BREAK_GLASS: MarkedTable = MarkedTable::new(
    11,
    "break_glass",
    &[
        id("id").key(),
        id("record"),
        text("organization"),
        text("officer"),
        int("until_at"),
        int("reviewed_at"),
        bytes("sealed_reason"),
    ],
)
.hanging_on("records", "record");

pub static INQUIRIES: MarkedTable = MarkedTable::new(
    12,
    "inquiries",
    &[
        id("id").key(),
        id("record"),
        text("owner"),
        text("asker"),
        int("at"),
        int("answered_at"),
        bytes("sealed_question"),
        bytes("sealed_answer"),
    ],
)
.hanging_on("records", "record");

pub static SERIOUS_REVIEWS: MarkedTable = MarkedTable::new(
    13,
    "serious_reviews",
    &[
        id("id").key(),
        id("record"),
        text("organization"),
        text("officer"),
        text("kind"),
        int("at"),
        bytes("sealed_note"),
    ],
)
.hanging_on("records", "record");

pub static MISSING_NOTICES: MarkedTable = MarkedTable::new(
    14,
    "missing_notices",
    &[
        id("id").key(),
        text("issuer"),
        int("version"),
        text("state"),
        int("exercise"),
        int("issued_at"),
        int("updated_at"),
        bytes("sealed_content"),
        bytes("parts"),
    ],
)
.remembered();

pub static NOTICE_CENTERS: MarkedTable = MarkedTable::new(
    15,
    "notice_centers",
    &[
        id("notice").key(),
        text("center").key(),
        int("delivered_at"),
        int("read_at"),
        int("answered_at"),
        text("answer"),
        bytes("sealed_details"),
    ],
)
.hanging_on("missing_notices", "notice");

pub static STAFFING_REPORTS: MarkedTable = MarkedTable::new(
    16,
    "staffing_reports",
    &[text("center").key(), int("fiscal_year").key(), int("submitted_at"), text("report")],
)
.remembered();

pub static RETENTION_SETTINGS: MarkedTable =
    MarkedTable::new(17, "retention_settings", &[text("organization").key(), text("settings")]).remembered();

pub static DISPOSALS: MarkedTable = MarkedTable::new(
    18,
    "disposals",
    &[
        id("id").key(),
        text("organization"),
        text("state"),
        text("asked_by"),
        int("asked_at"),
        text("decided_by"),
        int("decided_at"),
        int("destroyed_after"),
        text("lapsed_because"),
        int("destroyed_at"),
        bytes("parts"),
    ],
)
.remembered();

pub static DISPOSAL_RECORDS: MarkedTable =
    MarkedTable::new(19, "disposal_records", &[id("disposal").key(), id("record").key(), int("slot")])
        .hanging_on("disposals", "disposal");

pub static INBOX: MarkedTable = MarkedTable::new(
    20,
    "inbox",
    &[
        text("organization").key(),
        int("position").key().elsewhere(NUMBERED),
        int("at"),
        text("kind"),
        id("record"),
        id("subject"),
        id("entry"),
        text("from_organization"),
        text("from_officer"),
        text("from_terminal"),
        text("purpose"),
    ],
);

pub static INBOX_ACKNOWLEDGED: MarkedTable =
    MarkedTable::new(21, "inbox_acknowledged", &[text("organization").key(), int("position")]).remembered();

pub static IDEMPOTENCY: MarkedTable = MarkedTable::new(
    22,
    "idempotency",
    &[text("organization").key(), text("idempotency_key").key(), bytes("request_digest"), text("outcome"), int("at")],
);

pub static EDIT_LOCKS: MarkedTable = MarkedTable::new(
    23,
    "edit_locks",
    &[id("record").key(), text("organization"), text("officer"), text("terminal"), int("taken_at"), int("until_at")],
)
.remembered();

pub static REVOCATION_LISTS_SEEN: MarkedTable =
    MarkedTable::new(24, "revocation_lists_seen", &[text("issuer").key(), text("list_number"), int("issued_at")])
        .remembered();

pub static KEY_RUNS: MarkedTable = MarkedTable::new(25, "key_runs", &[int("run").key()]).remembered();

pub static REWRAPS: MarkedTable = MarkedTable::new(
    26,
    "rewraps",
    &[
        id("id").key(),
        int("master_generation"),
        text("asked_by"),
        int("started_at"),
        int("finished_at"),
        id("after_record"),
        int("wrapped"),
    ],
)
.remembered();

pub static BATCHES: MarkedTable = MarkedTable::new(
    27,
    "batches",
    &[id("id").key(), text("organization"), text("officer"), int("at"), text("report")],
);

pub static CREDENTIALS: MarkedTable = MarkedTable::new(
    28,
    "credentials",
    &[
        text("organization").key(),
        text("officer").key(),
        text("password_hash"),
        int("password_set_at"),
        bytes("sealed_totp"),
        int("totp_step"),
        text("issued_by_organization"),
        text("issued_by"),
        int("issued_at"),
        int("reissued"),
    ],
)
.remembered();

pub static RECOVERY_CODES: MarkedTable =
    MarkedTable::new(29, "recovery_codes", &[bytes("digest").key(), text("organization"), text("officer")])
        .remembered();

pub static ENROLMENT_CODES: MarkedTable = MarkedTable::new(
    30,
    "enrolment_codes",
    &[
        bytes("digest").key(),
        text("organization"),
        text("officer"),
        text("issued_by_organization"),
        text("issued_by"),
        int("issued_at"),
        int("expires_at"),
        int("reissued"),
    ],
)
.remembered();

pub static STAFF_GRANTS: MarkedTable = MarkedTable::new(
    31,
    "staff_grants",
    &[
        text("organization").key(),
        text("officer").key(),
        text("asked_by_organization"),
        text("asked_by"),
        text("approved_by_organization"),
        text("approved_by"),
        bytes("opening"),
        int("registered_at"),
    ],
)
.remembered();

pub static STAFF_NAMES: MarkedTable = MarkedTable::new(
    32,
    "staff_names",
    &[text("organization").key(), text("officer").key(), int("since").key(), bytes("sealed_name")],
)
.remembered();

pub static SIGN_IN_LOCKS: MarkedTable = MarkedTable::new(
    33,
    "sign_in_locks",
    &[
        text("terminal").key(),
        text("organization").key(),
        text("officer").key(),
        int("failures"),
        int("failed_at"),
        int("locked_until"),
    ],
)
.remembered();

pub static SIGN_IN_POLICIES: MarkedTable =
    MarkedTable::new(34, "sign_in_policies", &[text("organization").key(), int("password_days")]).remembered();

pub static WAITING_ACTS: MarkedTable = MarkedTable::new(
    35,
    "waiting_acts",
    &[
        id("id").key(),
        text("organization"),
        text("kind"),
        text("subject"),
        text("state"),
        text("asked_by_organization"),
        text("asked_by"),
        int("asked_at"),
        int("not_before"),
        int("expires_at"),
        text("first_organization"),
        text("first_by"),
        int("first_at"),
        text("helper"),
        text("decided_by_organization"),
        text("decided_by"),
        int("decided_at"),
        bytes("sealed_act"),
    ],
)
.remembered();

pub static DRAFTS: MarkedTable = MarkedTable::new(
    36,
    "drafts",
    &[
        id("id").key(),
        text("organization"),
        text("officer"),
        id("record"),
        text("prefecture"),
        int("key_generation"),
        int("created_at"),
        int("saved_at"),
        bytes("sealed_content")
            .elsewhere("sealed for this row and this save alone: neither an edit nor an older one opens"),
    ],
)
.remembered();

pub static PASSKEYS: MarkedTable = MarkedTable::new(
    37,
    "passkeys",
    &[
        text("organization").key(),
        text("officer").key(),
        id("id").key(),
        int("registered_at"),
        int("asked_at"),
        bytes("sealed_key"),
    ],
)
.remembered();

/// Every table whose rows are authenticated.
pub static ALL: [&MarkedTable; 37] = [
    &PREFECTURE_KEYS,
    &ORGANIZATIONS,
    &TERMINALS,
    &STAFF,
    &SESSIONS,
    &RECORDS,
    &RECORD_VERSIONS,
    &ATTACHMENTS,
    &PROVISIONS,
    &TRANSFERS,
    &BREAK_GLASS,
    &INQUIRIES,
    &SERIOUS_REVIEWS,
    &MISSING_NOTICES,
    &NOTICE_CENTERS,
    &STAFFING_REPORTS,
    &RETENTION_SETTINGS,
    &DISPOSALS,
    &DISPOSAL_RECORDS,
    &INBOX,
    &INBOX_ACKNOWLEDGED,
    &IDEMPOTENCY,
    &EDIT_LOCKS,
    &REVOCATION_LISTS_SEEN,
    &KEY_RUNS,
    &REWRAPS,
    &BATCHES,
    &CREDENTIALS,
    &RECOVERY_CODES,
    &ENROLMENT_CODES,
    &STAFF_GRANTS,
    &STAFF_NAMES,
    &SIGN_IN_LOCKS,
    &SIGN_IN_POLICIES,
    &WAITING_ACTS,
    &DRAFTS,
    &PASSKEYS,
];

/// Tables without marks, and what finds an edit of them, or why it harms nobody.
pub static OTHERS: [(&str, &str); 8] = [
    ("ledger", "entries are leaves of the Merkle tree; what stands beside them is held against them"),
    ("ledger_heads", "size and root are held against the entries, the sums against the ledger's last word on them"),
    ("changes", "each has a mark of its own, and their positions have no gap"),
    ("inbox_positions", "the last position of each inbox, held against the inbox by the audit"),
    (
        "record_places",
        "where each record lies, held against the records by the audit: a wrong one hides it, which is seen",
    ),
    ("stream_position", "how far the stream of backups is, held against the stream"),
    ("stream_restored", "which stream the database was restored from, held against the stream"),
    ("_sqlx_migrations", "held against the program's own migrations"),
];

/// The table of a name.
pub fn by_name(name: &str) -> Option<&'static MarkedTable> {
    ALL.into_iter().find(|table| table.name == name)
}

/// The tables whose rows hang on rows of this one.
pub fn parts_of(table: &'static MarkedTable) -> impl Iterator<Item = &'static MarkedTable> {
    ALL.into_iter().filter(move |part| part.hangs_on.is_some_and(|(on, _)| on == table.name))
}
