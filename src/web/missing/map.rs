//! A tile for each prefecture: how many of its centers answered, read, were reached, saw the child.

use crate::{
    domain::{missing_notice::CenterState, organization::OrganizationCode, registry::Registry},
    web::{dates::moment_of, language::Language},
};

/// Column and row of each prefecture, 北海道 first, and its short name.
const TILES: [(usize, usize, &str); 47] = [
    (13, 0, "北海道"),
    (13, 2, "青森"),
    (13, 3, "岩手"),
    (13, 4, "宮城"),
    (12, 3, "秋田"),
    (12, 4, "山形"),
    (13, 5, "福島"),
    (13, 7, "茨城"),
    (13, 6, "栃木"),
    (12, 6, "群馬"),
    (12, 7, "埼玉"),
    (13, 8, "千葉"),
    (12, 8, "東京"),
    (12, 9, "神奈川"),
    (12, 5, "新潟"),
    (11, 5, "富山"),
    (10, 5, "石川"),
    (9, 6, "福井"),
    (11, 8, "山梨"),
    (11, 6, "長野"),
    (10, 6, "岐阜"),
    (11, 9, "静岡"),
    (10, 8, "愛知"),
    (9, 8, "三重"),
    (9, 7, "滋賀"),
    (8, 6, "京都"),
    (7, 7, "大阪"),
    (7, 6, "兵庫"),
    (8, 7, "奈良"),
    (8, 8, "和歌山"),
    (6, 6, "鳥取"),
    (5, 6, "島根"),
    (6, 7, "岡山"),
    (5, 7, "広島"),
    (4, 7, "山口"),
    (7, 10, "徳島"),
    (6, 9, "香川"),
    (5, 9, "愛媛"),
    (6, 10, "高知"),
    (2, 7, "福岡"),
    (1, 8, "佐賀"),
    (0, 8, "長崎"),
    (2, 9, "熊本"),
    (3, 8, "大分"),
    (3, 9, "宮崎"),
    (2, 10, "鹿児島"),
    (0, 11, "沖縄"),
];

/// A prefecture on the map.
pub(super) struct Tile {
    /// Class of its place: `c13 r0`.
    pub(super) place: String,
    /// Class of its state: `done`, `open`, `undelivered`, `sighted`, or `none` where it has no center.
    pub(super) state: &'static str,
    pub(super) name: &'static str,
    /// `3/4`: answered of all.
    pub(super) count: String,
    /// All counts, for whoever hears the page.
    pub(super) said: String,
}

/// The map, and the counts of the country.
pub(super) struct TileMap {
    pub(super) tiles: Vec<Tile>,
    pub(super) total: usize,
    pub(super) answered: usize,
    pub(super) read: usize,
    pub(super) delivered: usize,
    pub(super) sighted: usize,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    total: usize,
    answered: usize,
    read: usize,
    delivered: usize,
    sighted: usize,
}

impl Counts {
    fn take(&mut self, state: &CenterState) {
        self.total += 1;
        self.answered += usize::from(state.answered_at.is_some());
        self.read += usize::from(state.read_at.is_some());
        self.delivered += usize::from(state.delivered_at.is_some());
        self.sighted += usize::from(state.answer.as_deref() == Some("sighted"));
    }

    fn state(self) -> &'static str {
        match self {
            Self { total: 0, .. } => "none",
            Self { sighted: 1.., .. } => "sighted",
            Self { total, answered, .. } if answered == total => "done",
            Self { total, delivered, .. } if delivered < total => "undelivered",
            _ => "open",
        }
    }

    fn said(self, l: Language) -> String {
        let Self { total, answered, read, delivered, sighted } = self;
        match l {
            Language::Japanese => {
                format!("全{total}か所　回答{answered}　閲覧{read}　到達{delivered}　目撃{sighted}")
            }
            Language::English => {
                format!("{total} centers: {answered} answered, {read} read, {delivered} delivered, {sighted} sighted")
            }
        }
    }
}

impl TileMap {
    pub(super) fn of(l: Language, states: &[CenterState]) -> Self {
        let mut counts = [Counts::default(); 47];
        let mut all = Counts::default();
        for state in states {
            all.take(state);
            let number = state.center.get(..2).and_then(|number| number.parse::<usize>().ok());
            if let Some(of) = number.and_then(|number| counts.get_mut(number.wrapping_sub(1))) {
                of.take(state);
            }
        }
        let tiles = TILES.iter().zip(counts).map(|((column, row, name), of)| Tile {
            place: format!("c{column} r{row}"),
            state: of.state(),
            name,
            count: format!("{}/{}", of.answered, of.total),
            said: of.said(l),
        });
        Self {
            tiles: tiles.collect(),
            total: all.total,
            answered: all.answered,
            read: all.read,
            delivered: all.delivered,
            sighted: all.sighted,
        }
    }
}

/// Which center saw the child, when it said so, and what.
pub(super) fn sighting(l: Language, registry: &Registry, state: &CenterState) -> (String, String, String) {
    let center =
        OrganizationCode::parse(&state.center).map_or_else(|| state.center.clone(), |code| registry.name(&code));
    let at = state.answered_at.as_ref().map(|at| moment_of(l, at)).unwrap_or_default();
    (center, at, state.details.clone().unwrap_or_default())
}
