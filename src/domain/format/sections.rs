//! Every section and element of the national format v1, in the order of the XML form.
//!
//! To add a section: write its fields below, add one entry to [`SECTIONS`] with its item group, run
//! `make schemas`. The XSD, the JSON schema, both parsers, both writers and the visibility rules follow.

use super::{
    code_lists as codes,
    definition::{Field, Section, code, parent, text},
    lexical::Lexical::{
        Date, DateTime, Kana, Line, MunicipalityCode, OrganizationCode, PartialDate, Phone, PostalCode, Text,
    },
};
use crate::domain::visibility::ItemGroup;

const NAME: &[Field] = &[
    text("written", "氏名（表記のとおり。姓と名は空白1つで区切る）", Line(120)),
    text("kana", "氏名カナ", Kana).optional(),
    text("latin", "アルファベット氏名", Line(120)).optional(),
];

const OTHER_NAME: &[Field] = &[
    code("form", "氏名の種類", &codes::NAME_FORM),
    text("written", "氏名（表記のとおり）", Line(120)),
    text("kana", "氏名カナ", Kana).optional(),
    text("latin", "アルファベット氏名", Line(120)).optional(),
];

const CHILD: &[Field] = &[
    parent("name", "氏名", NAME),
    parent("otherName", "通称名・旧氏名等", OTHER_NAME).any_number(),
    code("sex", "性別", &codes::SEX),
    text("birthDate", "生年月日（西暦または元号。日・月が不明のときは年月・年まで）", PartialDate),
];

const GUARDIAN: &[Field] = &[
    parent("name", "保護者氏名", NAME),
    parent("otherName", "通称名・旧氏名等", OTHER_NAME).any_number(),
    code("authority", "保護者の種別", &codes::AUTHORITY).optional(),
    text("relationship", "続柄", Line(40)).optional(),
    text("birthDate", "生年月日", PartialDate).optional(),
];

const INDEX: &[Field] = &[parent("child", "児童", CHILD), parent("guardian", "保護者", GUARDIAN).one_or_more()];

const CONTACT: &[Field] = &[
    text("municipality", "住所地の市町村（全国地方公共団体コード）", MunicipalityCode),
    text("postalCode", "郵便番号", PostalCode).optional(),
    text("address", "住所", Line(200)),
    text("addressAnnex", "方書", Line(120)).optional(),
    text("previousAddress", "前住所", Line(200)).optional(),
    text("phone", "電話番号", Phone).any_number(),
    text("email", "メールアドレス", Line(120)).any_number(),
    text("emergencyContact", "緊急連絡先", Line(200)).optional(),
];

const FACILITY: &[Field] = &[
    code("enrolment", "在籍", &codes::ENROLMENT),
    text("name", "所属する学校・保育施設等の名称", Line(120)),
    text("grade", "学年・組", Line(40)).optional(),
    text("since", "在籍開始日", Date).optional(),
    text("attendance", "出席・就学状況", Text(2_000)).optional(),
];

const AFFILIATION: &[Field] = &[parent("facility", "所属", FACILITY).one_or_more()];

const REPORT: &[Field] = &[
    text("date", "通告・相談年月日", Date),
    code("route", "通告・相談経路", &codes::ROUTE),
    code("method", "通告・相談方法", &codes::METHOD),
    text("content", "通告・相談内容", Text(20_000)).optional(),
];

const CASE: &[Field] = &[
    code("caseClass", "ケース区分", &codes::CASE_CLASS),
    code("abuseKind", "虐待種別", &codes::ABUSE_KIND).any_number(),
    code("abuseDegree", "虐待の程度", &codes::ABUSE_DEGREE).optional(),
    code("primaryAbuser", "虐待者（主）", &codes::ABUSER).optional(),
    code("secondaryAbuser", "虐待者（副）", &codes::ABUSER).optional(),
    code("ordinanceBasis", "児童虐待以外の事案を条例に基づき全国検索の対象とする", &codes::YES_NO).optional(),
    text("caseNumber", "ケース番号", Line(40)).optional(),
    text("acceptedOn", "受理日", Date).optional(),
    parent("report", "通告・相談", REPORT).any_number(),
    text("referralToCenter", "児童相談所への送致の状況", Text(2_000)).optional(),
    text("pastResponse", "過去の対応歴", Text(20_000)).optional(),
    text("closedOn", "終了年月日", Date).optional(),
    code("closeReason", "終了理由", &codes::CLOSE_REASON).optional(),
];

const SCALED: &[Field] = &[
    text("scale", "尺度の名称（自治体ごと）", Line(80)),
    text("value", "尺度上の値", Line(40)),
    code("nationalRank", "全国共通の段階", &codes::NATIONAL_RANK),
];

const RISK_ITEM: &[Field] = &[
    text("item", "項目", Line(200)),
    code("answer", "該当の有無", &codes::YES_NO),
    text("note", "備考", Line(400)).optional(),
];

const RISK_SHEET: &[Field] = &[
    text("form", "様式の名称", Line(120)),
    text("assessedOn", "評価日", Date),
    parent("riskItem", "評価項目", RISK_ITEM).one_or_more(),
];

const ASSESSMENT: &[Field] = &[
    parent("urgency", "緊急度", SCALED).optional(),
    parent("severity", "重症度", SCALED).optional(),
    parent("riskSheet", "リスクアセスメントシート", RISK_SHEET).any_number(),
    code("temporaryProtectionNeeded", "一時保護の要否", &codes::YES_NO).optional(),
    text("result", "評価・判断", Text(20_000)).optional(),
];

const NOTE: &[Field] = &[
    text("at", "日時", DateTime),
    code("method", "方法", &codes::METHOD),
    text("content", "支援内容・経過", Text(20_000)),
];

const CONFERENCE: &[Field] = &[text("heldOn", "開催日", Date), text("content", "会議の内容・決定", Text(20_000))];

const WATCH: &[Field] =
    &[code("status", "見守り状況", &codes::YES_NO), code("agency", "見守り機関", &codes::ROUTE).any_number()];

const SUPPORT: &[Field] = &[
    text("policy", "支援方針", Text(20_000)).optional(),
    parent("note", "経過記録", NOTE).any_number(),
    parent("conference", "ケース会議", CONFERENCE).any_number(),
    parent("watch", "見守り", WATCH).optional(),
];

const RELATIVE: &[Field] = &[
    parent("name", "氏名", NAME),
    text("relationship", "児童との続柄", Line(40)),
    text("birthDate", "生年月日", PartialDate).optional(),
    code("cohabiting", "同居", &codes::YES_NO).optional(),
    text("occupation", "職業", Line(80)).optional(),
];

const FAMILY: &[Field] = &[
    text("situation", "家庭の状況", Text(20_000)).optional(),
    text("economicState", "経済状態", Text(2_000)).optional(),
    code("householdRisk", "世帯のリスク", &codes::HOUSEHOLD_RISK).any_number(),
    parent("relative", "家族・親族", RELATIVE).any_number(),
    text("genogram", "家族図の説明", Text(20_000)).optional(),
];

const OFFICER: &[Field] = &[
    text("name", "担当者名", Line(120)),
    text("department", "担当部署", Line(120)).optional(),
    text("phone", "連絡先電話番号", Phone).optional(),
];

const REPORTER: &[Field] = &[
    text("name", "通告者氏名", Line(120)).optional(),
    text("phone", "通告者電話番号", Phone).optional(),
    text("address", "通告者住所", Line(200)).optional(),
    text("relationToChild", "児童との関係", Line(80)).optional(),
    text("known", "通告者が把握している情報", Text(20_000)).optional(),
    text("wishes", "通告者への対応・今後の連絡", Text(2_000)).optional(),
];

const SHIELD: &[Field] = &[
    code("kind", "支援措置の種別", &codes::SHIELD_KIND),
    text("since", "支援措置の開始日", Date),
    text("named", "住所等を開示してよい機関（機関コード）", OrganizationCode).any_number(),
    text("note", "支援措置に関する事項", Text(2_000)).optional(),
];

/// The sections, in document order.
pub const SECTIONS: &[Section] = &[
    Section { group: ItemGroup::Index, field: parent("index", "基本項目（児童・保護者）", INDEX) },
    Section { group: ItemGroup::Contact, field: parent("contact", "住所・連絡先", CONTACT) },
    Section { group: ItemGroup::Affiliation, field: parent("affiliation", "所属", AFFILIATION).optional() },
    Section { group: ItemGroup::Case, field: parent("case", "ケース", CASE).optional() },
    Section { group: ItemGroup::Assessment, field: parent("assessment", "評価", ASSESSMENT).optional() },
    Section { group: ItemGroup::Support, field: parent("support", "支援", SUPPORT).optional() },
    Section { group: ItemGroup::Family, field: parent("family", "家庭", FAMILY).optional() },
    Section { group: ItemGroup::Officer, field: parent("officer", "担当者", OFFICER) },
    Section { group: ItemGroup::Reporter, field: parent("reporter", "通告者", REPORTER).optional() },
    Section { group: ItemGroup::Shielded, field: parent("shield", "支援措置", SHIELD).optional() },
];
