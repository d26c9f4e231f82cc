//! Synthetic families: names that exist in Japan, put together by a seeded generator. No real person.

/// Surnames and their readings, the commonest first.
const SURNAMES: &[(&str, &str)] = &[
    ("佐藤", "サトウ"),
    ("鈴木", "スズキ"),
    ("髙橋", "タカハシ"),
    ("田中", "タナカ"),
    ("伊藤", "イトウ"),
    ("渡邊", "ワタナベ"),
    ("山本", "ヤマモト"),
    ("中村", "ナカムラ"),
    ("小林", "コバヤシ"),
    ("加藤", "カトウ"),
    ("吉田", "ヨシダ"),
    ("山田", "ヤマダ"),
    ("佐々木", "ササキ"),
    ("山口", "ヤマグチ"),
    ("松本", "マツモト"),
    ("井上", "イノウエ"),
    ("木村", "キムラ"),
    ("林", "ハヤシ"),
    ("斎藤", "サイトウ"),
    ("清水", "シミズ"),
    ("山﨑", "ヤマザキ"),
    ("森", "モリ"),
    ("池田", "イケダ"),
    ("橋本", "ハシモト"),
    ("阿部", "アベ"),
    ("石川", "イシカワ"),
    ("山下", "ヤマシタ"),
    ("中島", "ナカジマ"),
    ("石井", "イシイ"),
    ("小川", "オガワ"),
    ("前田", "マエダ"),
    ("岡田", "オカダ"),
    ("長谷川", "ハセガワ"),
    ("藤田", "フジタ"),
    ("後藤", "ゴトウ"),
    ("近藤", "コンドウ"),
    ("村上", "ムラカミ"),
    ("遠藤", "エンドウ"),
    ("青木", "アオキ"),
    ("坂本", "サカモト"),
    ("福田", "フクダ"),
    ("太田", "オオタ"),
    ("西村", "ニシムラ"),
    ("藤井", "フジイ"),
    ("金子", "カネコ"),
    ("岡本", "オカモト"),
    ("藤原", "フジワラ"),
    ("三浦", "ミウラ"),
    ("中野", "ナカノ"),
    ("原田", "ハラダ"),
    ("小野寺", "オノデラ"),
    ("早乙女", "サオトメ"),
    ("五十嵐", "イガラシ"),
    ("宇都宮", "ウツノミヤ"),
];

const GIVEN: &[(&str, &str, &str)] = &[
    ("蓮", "レン", "1"),
    ("陽翔", "ハルト", "1"),
    ("湊", "ミナト", "1"),
    ("大翔", "ヒロト", "1"),
    ("悠真", "ユウマ", "1"),
    ("樹", "イツキ", "1"),
    ("健太", "ケンタ", "1"),
    ("翔太", "ショウタ", "1"),
    ("拓海", "タクミ", "1"),
    ("颯", "ハヤテ", "1"),
    ("結菜", "ユイナ", "2"),
    ("葵", "アオイ", "2"),
    ("陽菜", "ヒナ", "2"),
    ("凛", "リン", "2"),
    ("紬", "ツムギ", "2"),
    ("芽依", "メイ", "2"),
    ("さくら", "サクラ", "2"),
    ("美咲", "ミサキ", "2"),
    ("花音", "カノン", "2"),
    ("心春", "コハル", "2"),
];

const GUARDIANS: &[(&str, &str)] = &[
    ("大輔", "ダイスケ"),
    ("誠", "マコト"),
    ("直樹", "ナオキ"),
    ("和也", "カズヤ"),
    ("健一", "ケンイチ"),
    ("翼", "ツバサ"),
    ("愛", "アイ"),
    ("美穂", "ミホ"),
    ("裕子", "ユウコ"),
    ("真由美", "マユミ"),
    ("恵", "メグミ"),
    ("彩", "アヤ"),
];

/// A seeded sequence (SplitMix64): the same seed makes the same families.
pub struct People {
    state: u64,
}

impl People {
    pub fn seeded(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> Option<&'t T> {
        let at = self.below(from.len());
        from.get(at)
    }

    /// A family's record, as the XML that a case system would send.
    pub fn family(&mut self, municipality: &str) -> Family {
        // The square skews towards the commonest surnames.
        let skewed = self.below(SURNAMES.len()) * self.below(SURNAMES.len()) / SURNAMES.len().max(1);
        let (surname, surname_kana) = SURNAMES.get(skewed).copied().unwrap_or(("山田", "ヤマダ"));
        let (given, given_kana, sex) = self.pick(GIVEN).copied().unwrap_or(("蓮", "レン", "1"));
        let (parent, parent_kana) = self.pick(GUARDIANS).copied().unwrap_or(("誠", "マコト"));
        let birth_date = format!("{}-{:02}-{:02}", 2009 + self.below(17), 1 + self.below(12), 1 + self.below(28));
        Family {
            child: format!("{surname} {given}"),
            child_kana: format!("{surname_kana} {given_kana}"),
            sex: sex.to_owned(),
            birth_date,
            guardian: format!("{surname} {parent}"),
            guardian_kana: format!("{surname_kana} {parent_kana}"),
            former_guardian: None,
            municipality: municipality.to_owned(),
            address: format!("架空町{}丁目{}番{}号", 1 + self.below(9), 1 + self.below(30), 1 + self.below(20)),
            shield_since: None,
            assessed: false,
        }
    }
}

/// What a record of a synthetic family says.
#[derive(Clone)]
pub struct Family {
    pub child: String,
    pub child_kana: String,
    pub sex: String,
    pub birth_date: String,
    pub guardian: String,
    pub guardian_kana: String,
    /// A former name of the guardian.
    pub former_guardian: Option<String>,
    pub municipality: String,
    pub address: String,
    /// First day of a shield, if there is one.
    pub shield_since: Option<String>,
    /// With urgency and risk sheet.
    pub assessed: bool,
}

impl Family {
    /// The record as XML of the national format.
    pub fn to_xml(&self) -> String {
        let former = self
            .former_guardian
            .as_ref()
            .map(|name| format!("<otherName><form>former</form><written>{name}</written></otherName>"))
            .unwrap_or_default();
        let shield = self
            .shield_since
            .as_ref()
            .map(|since| format!("\n  <shield><kind>1</kind><since>{since}</since></shield>"))
            .unwrap_or_default();
        let assessment = if self.assessed {
            "\n  <assessment><urgency><scale>市独自（S・A～F）</scale><value>A</value><nationalRank>2</nationalRank></urgency>\
             <riskSheet><form>共通リスクアセスメント</form><assessedOn>R8.11.1</assessedOn>\
             <riskItem><item>保護者が受診させない</item><answer>1</answer></riskItem></riskSheet></assessment>"
        } else {
            ""
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<childRecord xmlns=\"urn:tsunagi:national-format:v1\">\n  \
             <index>\n    <child><name><written>{}</written><kana>{}</kana></name><sex>{}</sex>\
             <birthDate>{}</birthDate></child>\n    <guardian><name><written>{}</written><kana>{}</kana></name>{former}\
             <authority>1</authority></guardian>\n  </index>\n  <contact><municipality>{}</municipality>\
             <address>{}</address><phone>090-0000-0000</phone></contact>\n  <affiliation><facility>\
             <enrolment>1</enrolment><name>架空保育園</name></facility></affiliation>\n  <case><caseClass>1</caseClass>\
             <abuseKind>2</abuseKind><acceptedOn>R8.4.1</acceptedOn></case>{assessment}\n  \
             <support><policy>家庭訪問を週1回行う</policy></support>\n  <officer><name>架空 担当</name></officer>\n  \
             <reporter><name>匿名 通告者</name><phone>080-0000-0000</phone></reporter>{shield}\n</childRecord>\n",
            self.child,
            self.child_kana,
            self.sex,
            self.birth_date,
            self.guardian,
            self.guardian_kana,
            self.municipality,
            self.address,
        )
    }
}
