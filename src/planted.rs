//! Defects and faults planted on purpose: defects, so that the tests which guard a law can show that they would fail;
//! faults, which no test could bring about from outside at the right moment.
//!
//! They exist in debug builds alone and are asked for by `PLANTED_DEFECT`: one, or several with commas between them
//! where guards stand beside each other and one alone is to be seen. A release build has none.

/// A defect or fault that a test plants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(debug_assertions, derive(strum::EnumString), strum(serialize_all = "kebab-case"))]
#[cfg_attr(not(debug_assertions), allow(dead_code, reason = "a release build plants none"))]
pub enum Planted {
    /// Answers, and only then commits.
    AnswerBeforeCommit,
    /// Does not follow what other nodes committed.
    StaleMemory,
    /// Takes commits for durable that PostgreSQL has not flushed.
    UnflushedCommits,
    /// A witness signs whatever the log signed, without a proof.
    CosignWithoutProof,
    /// Verifying the ledger, the columns beside an entry are taken as they are.
    BelieveColumns,
    /// Goes on where an entry could not be appended to the ledger.
    IgnoreTheLedger,
    /// Updates whatever version is there.
    IgnoreIfMatch,
    /// Believes what it found out when a request began until the request ends, and looks at no revocation list.
    RecognizeOnce,
    /// Takes a file without a revocation list for a list that revokes nobody.
    BelieveAnEmptyList,
    /// Goes by the system's clock wherever it leaps to.
    BelieveTheClock,
    /// Ends without waiting for calls that are under way.
    CutOpenCalls,
    /// A fault: every second commit holds, is reported as failed, and cannot be looked up at once.
    CommitHeldAndDenied,
    /// A fault: every second commit does not hold, and it cannot be looked up at once.
    CommitLost,
    /// Answers, and streams the batch when the next one comes.
    AnswerBeforeStream,
    /// Takes whom a case system names, or who has a password alone, for a person who signed in with a second factor.
    BelieveMachines,
    /// Takes any two ids for two persons.
    AnyTwoIds,
    /// Takes a code of the second factor again that was used before.
    AcceptReplays,
    /// Counts no wrong tries at signing in.
    NeverLock,
    /// Counts a try at signing in once it turned out to be wrong.
    CountAfterHash,
    /// Hashes passwords in the order in which they came, whichever terminal they came from.
    HashFirstCome,
    /// Takes any purpose from anybody.
    AnyPurpose,
    /// Lets browsers send the cookies of the pages with what another site sends.
    LaxCookies,
    /// Takes forms from wherever a browser says that they come.
    BelieveAnyOrigin,
    /// Takes forms with any token.
    BelieveAnyToken,
    /// Shows the address of a shielded record to whoever opens the record, unasked.
    OpenWhatIsClosed,
    /// Opens a body anew without those who must stand for it.
    OpenAnyBody,
    /// Takes a second factor that was shown in a browser at any time for one shown now.
    NeverAskAgain,
    /// Takes a form whose browser says nothing of where it comes from.
    BelieveSilence,
    /// Shows the same token on every page of a session.
    BareToken,
    /// Signs somebody in under the session that the browser already has.
    KeepTheSession,
    /// Lets a page lead wherever an address says.
    LeadAnywhere,
    /// Lets browsers and what stands between keep pages.
    KeepPages,
    /// Checks no password where the id is nobody's.
    CheckKnownAlone,
    /// Takes a passkey that was used without its person being asked for finger, face or PIN.
    BelievePresence,
    /// Leaves what a person signed in with in place when the person is revoked.
    KeepCredentials,
    /// Lets one person, or a machine, name bodies under a shield.
    NameAlone,
    /// Gives an id a second time.
    GiveIdsAgain,
    /// Revokes nobody whose row is damaged.
    KeepDamaged,
    /// Stops at a forged row where something is to be taken away.
    StumbleOverForged,
    /// Takes a row that is not there for one that never was.
    BelieveAbsence,
    /// Holds no sum over rows against what was written, when it reviews them.
    IgnoreSums,
    /// Where a sum over rows is wrong at a start, names none of them and goes on.
    NameNobody,
    /// Believes what a list of disposal says of itself, whatever the ledger says.
    BelieveTheList,
    /// Disposes of records as soon as they are approved.
    DisposeAtOnce,
    /// Leaves whether a case is serious out of the mark of its record.
    LeaveOutAColumn,
    /// Shows what officers are called today, whenever they acted.
    NamesOfToday,
    /// Leaves no entry of what was refused before anything was begun, or of what was refused with no entry of its own.
    ForgetRefusals,
    /// Takes a session for one in force that stood idle for too long.
    IdleForever,
    /// Takes a session for one in force whose last hour is over.
    SessionsForever,
    /// Lets a terminal that the operator registered a moment ago ask in a body's name.
    BelieveYoungTerminals,
    /// Tells a body nothing of what the operator does to it.
    TellNoBody,
    /// Lets one operator register terminals for a body that has people.
    RegisterAlone,
    /// Opens a body anew as soon as one of its officers asks, while others can sign in.
    ReopenAtOnce,
    /// Opens a body anew as soon as one of its officers asks, where those who could sign in were revoked a moment ago.
    ReopenDeserted,
    /// Takes no objection from those who were told.
    HearNoObjection,
    /// Lets what somebody asked wait on when that one is gone.
    GoneStillAsk,
    /// Lets those whom a body lends stand first.
    LendFirst,
    /// Tells nobody but the body itself that it is connected and opened.
    TellNoCounterparts,
    /// Counts who stood first for as long as that person is there, whatever became of the roles.
    KeepTheFirst,
    /// Confirms what was asked about something that has changed since.
    ConfirmWhatChanged,
    /// Takes whoever gets another role for somebody who was registered at that moment.
    RegisterAgain,
    /// Lets anybody who may ask take roles from an administrator of users.
    TakeFromAnybody,
    /// Lets any person whose list it stands in drop what waits.
    WithdrawAnything,
    /// Lets a machine of the operator's revoke as fast as it can.
    RevokeWithoutEnd,
    /// Notes who gave a person a role though none was added, and takes no pair of first persons for one any more.
    ForgetThePair,
    /// Opens the draft of any officer to any other.
    OpenAnyDraft,
    /// Keeps drafts for ever.
    KeepDrafts,
    /// Names children on the list of what there is to do to those who read no record.
    NameToAnybody,
    /// Answers a search of the body's own records from everybody's.
    SearchEverybodys,
    /// Tells whoever asked a question whose record it is about.
    NameTheAsked,
    /// Lets as much wait as is asked for, and tells of the same again and again.
    AskWithoutEnd,
    /// Keeps what a camera wrote into a photo.
    KeepPosition,
    /// Shows a photo with what its camera wrote into it, as it is kept.
    ShowPosition,
    /// Leaves the draft of a record in place that was registered of it.
    KeepSentDrafts,
    /// Lets anybody acknowledge an alert that others are to deal with.
    AcknowledgeAnything,
    /// Renews a lock by the key of the form alone, which is the same for each save of it.
    RenewOnce,
}

/// How many can be asked for at once.
const AT_ONCE: usize = 3;

impl Planted {
    /// Whether it was asked for.
    pub fn is_planted(self) -> bool {
        (0..AT_ONCE).any(|nth| Self::from_environment(nth) == Some(self))
    }

    /// What was asked for as the first, the second, ….
    #[cfg(debug_assertions)]
    fn from_environment(nth: usize) -> Option<Self> {
        let asked = std::env::var("PLANTED_DEFECT").ok()?;
        asked.split(',').nth(nth)?.parse().ok()
    }

    /// None: this is a release build.
    #[cfg(not(debug_assertions))]
    fn from_environment(_: usize) -> Option<Self> {
        None
    }

    /// Whether a defect of the journal's transaction was asked for: it shows only where there is one.
    pub fn is_of_transactions() -> bool {
        matches!(Self::from_environment(0), Some(Self::AnswerBeforeCommit | Self::IgnoreTheLedger))
    }

    /// What becomes of the commit with this number.
    pub fn of_commit(number: u64) -> Option<Self> {
        Self::from_environment(0)
            .filter(|planted| matches!(planted, Self::CommitHeldAndDenied | Self::CommitLost) && number % 2 == 1)
    }
}
