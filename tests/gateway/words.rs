//! The words of enums: messages and ledger take them from serde, the database and the policies from strum.

use std::{fmt::Debug, str::FromStr};

use serde::{Serialize, de::DeserializeOwned};
use strum::VariantArray;
use tsunagi::{
    domain::disposal::{DisposalState, NotDue},
    domain::{
        missing_notice::NoticeState,
        organization::OrganizationKind,
        purpose::Purpose,
        retention::RetentionClass,
        sharp_act::SharpKind,
        transfer::TransferState,
        visibility::{ItemGroup, LegalBasis, Relation},
    },
    identity::{Role, directory::TerminalKind},
    journal::inbox::InboxKind,
    ledger::entry::{Act, Outcome},
};

fn words_are_one<T: VariantArray + Copy + Into<&'static str> + Serialize>() {
    for value in T::VARIANTS {
        let word: &str = (*value).into();
        assert_eq!(serde_json::to_value(value).unwrap(), word);
    }
}

fn words_are_read<T>()
where
    T: VariantArray + Copy + Into<&'static str> + Serialize + DeserializeOwned + FromStr + PartialEq + Debug,
{
    words_are_one::<T>();
    for value in T::VARIANTS {
        let word: &str = (*value).into();
        assert_eq!(word.parse().ok(), Some(*value));
        assert_eq!(serde_json::from_value::<T>(word.into()).unwrap(), *value);
        assert!(word.to_uppercase().parse::<T>().is_err() && format!("{word} ").parse::<T>().is_err(), "{word}");
    }
}

#[test]
fn serde_and_strum_agree() {
    words_are_read::<DisposalState>();
    words_are_read::<NotDue>();
    words_are_read::<ItemGroup>();
    words_are_read::<NoticeState>();
    words_are_read::<Purpose>();
    words_are_read::<Relation>();
    words_are_read::<RetentionClass>();
    words_are_read::<Role>();
    words_are_read::<SharpKind>();
    words_are_read::<TransferState>();
    words_are_one::<Act>();
    words_are_one::<InboxKind>();
    words_are_one::<LegalBasis>();
    words_are_one::<OrganizationKind>();
    words_are_one::<Outcome>();
    words_are_one::<TerminalKind>();
}
