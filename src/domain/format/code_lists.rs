//! Code lists of the national format. Each list has an explicit code for "not known".

/// A closed list of codes with their Japanese meaning.
#[derive(Debug)]
pub struct CodeList {
    /// Name of the XSD simple type.
    pub name: &'static str,
    pub japanese: &'static str,
    pub codes: &'static [(&'static str, &'static str)],
}

impl CodeList {
    pub fn contains(&self, code: &str) -> bool {
        self.codes.iter().any(|(known, _)| *known == code)
    }
}

pub const SEX: CodeList =
    CodeList { name: "SexCode", japanese: "性別", codes: &[("1", "男"), ("2", "女"), ("9", "不明")] };

pub const NAME_FORM: CodeList = CodeList {
    name: "NameFormCode",
    japanese: "氏名の種類",
    codes: &[("alias", "通称名"), ("former", "旧氏名・前氏名"), ("second", "第2氏名"), ("joint", "併記名")],
};

pub const AUTHORITY: CodeList = CodeList {
    name: "GuardianKindCode",
    japanese: "保護者の種別",
    codes: &[("1", "親権を行う者"), ("2", "未成年後見人"), ("3", "現に監護する者"), ("9", "不明")],
};

pub const YES_NO: CodeList =
    CodeList { name: "YesNoCode", japanese: "有無", codes: &[("1", "有"), ("0", "無"), ("9", "不明")] };

pub const CASE_CLASS: CodeList = CodeList {
    name: "CaseClassCode",
    japanese: "ケース区分",
    codes: &[("1", "要保護児童"), ("2", "要支援児童"), ("3", "特定妊婦"), ("4", "延長者等"), ("9", "その他・不明")],
};

pub const ABUSE_KIND: CodeList = CodeList {
    name: "AbuseKindCode",
    japanese: "虐待種別",
    codes: &[("1", "身体的虐待"), ("2", "ネグレクト"), ("3", "心理的虐待"), ("4", "性的虐待"), ("9", "不明")],
};

pub const ABUSE_DEGREE: CodeList = CodeList {
    name: "AbuseDegreeCode",
    japanese: "虐待の程度",
    codes: &[("1", "有"), ("2", "無"), ("3", "疑い"), ("9", "不明")],
};

pub const ABUSER: CodeList = CodeList {
    name: "AbuserCode",
    japanese: "虐待者",
    codes: &[
        ("1", "実父"),
        ("2", "実父以外の父親（内縁を含む）"),
        ("3", "実母"),
        ("4", "実母以外の母親"),
        ("9", "その他"),
        ("99", "不明"),
    ],
};

pub const ROUTE: CodeList = CodeList {
    name: "RouteCode",
    japanese: "通告・相談経路",
    codes: &[
        ("01", "民生・主任児童委員"),
        ("02", "近隣・知人"),
        ("03", "家族・親族"),
        ("04", "医療機関"),
        ("05", "警察"),
        ("06", "地縁組織"),
        ("07", "母子福祉施設"),
        ("08", "児童福祉施設・児童館"),
        ("09", "保育所"),
        ("10", "幼稚園"),
        ("11", "学校"),
        ("12", "他部・他課・区社協"),
        ("13", "児童本人"),
        ("14", "NPO・自主グループ等"),
        ("15", "他区こども家庭支援室"),
        ("16", "区子育て支援係"),
        ("98", "不明"),
        ("99", "その他"),
    ],
};

pub const METHOD: CodeList = CodeList {
    name: "MethodCode",
    japanese: "通告・相談・支援方法",
    codes: &[("1", "面接"), ("2", "電話"), ("3", "文書"), ("4", "訪問"), ("9", "不明")],
};

pub const CLOSE_REASON: CodeList = CodeList {
    name: "CloseReasonCode",
    japanese: "終了理由",
    codes: &[
        ("1", "改善"),
        ("2", "転出（市内）"),
        ("3", "転出（市外）"),
        ("4", "措置入所"),
        ("5", "死亡"),
        ("9", "不明"),
    ],
};

pub const NATIONAL_RANK: CodeList = CodeList {
    name: "NationalRankCode",
    japanese: "全国共通の緊急度・重症度",
    codes: &[("1", "最高"), ("2", "高"), ("3", "中"), ("4", "低"), ("5", "見守り"), ("9", "不明")],
};

pub const HOUSEHOLD_RISK: CodeList = CodeList {
    name: "HouseholdRiskCode",
    japanese: "世帯のリスク",
    codes: &[
        ("1", "多子"),
        ("2", "生活困窮"),
        ("3", "DV"),
        ("4", "ひとり親"),
        ("5", "障害"),
        ("6", "望まない妊娠"),
        ("8", "その他"),
        ("9", "不明"),
    ],
};

pub const ENROLMENT: CodeList = CodeList {
    name: "EnrolmentCode",
    japanese: "在籍",
    codes: &[
        ("1", "保育園"),
        ("2", "幼稚園"),
        ("3", "小学校"),
        ("4", "中学校"),
        ("5", "高校"),
        ("6", "入所施設"),
        ("8", "その他"),
        ("9", "不明"),
    ],
};

pub const SHIELD_KIND: CodeList = CodeList {
    name: "ShieldKindCode",
    japanese: "支援措置の種別",
    codes: &[
        ("1", "DV"),
        ("2", "ストーカー行為等"),
        ("3", "児童虐待等"),
        ("8", "その他これらに準ずる場合"),
        ("9", "不明"),
    ],
};

/// Every list, in the order in which the schemas print them.
pub const ALL: &[&CodeList] = &[
    &SEX,
    &NAME_FORM,
    &AUTHORITY,
    &YES_NO,
    &CASE_CLASS,
    &ABUSE_KIND,
    &ABUSE_DEGREE,
    &ABUSER,
    &ROUTE,
    &METHOD,
    &CLOSE_REASON,
    &NATIONAL_RANK,
    &HOUSEHOLD_RISK,
    &ENROLMENT,
    &SHIELD_KIND,
];
