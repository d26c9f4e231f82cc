//! Records as the index keeps them: a short header each, and their names packed one after another.

use std::collections::HashMap;

use hashbrown::HashTable;
use uuid::Uuid;

use super::{
    fold::FoldedName,
    query::Day,
    symbol::{Symbol, unpack},
};
use crate::domain::{
    calendar::PartialDate,
    case_record::{DerivedFacts, IndexItems, NameForm, Person, RecordFacts},
    organization::OrganizationCode,
    visibility::Shield,
};

/// Whose name it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum PersonRole {
    Child,
    Guardian,
    /// Found by the owner alone.
    Relative,
}

impl PersonRole {
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A record, folded and packed, ready to be put in.
pub struct PackedRecord {
    pub facts: RecordFacts,
    pub(super) birth: u32,
    pub(super) sex: u8,
    pub(super) text: Vec<u8>,
}

impl PackedRecord {
    pub fn new(facts: RecordFacts, items: &IndexItems) -> Self {
        let mut text = Vec::with_capacity(96);
        pack_person(PersonRole::Child, &items.child, &mut text);
        items.guardians.iter().for_each(|guardian| pack_person(PersonRole::Guardian, guardian, &mut text));
        items.relatives.iter().for_each(|relative| pack_person(PersonRole::Relative, relative, &mut text));
        let sex = items.sex.bytes().next().unwrap_or(0);
        Self { facts, birth: Day::packed(items.birth_date), sex, text }
    }

    pub(super) fn people(&self) -> PackedPeople<'_> {
        PackedPeople(&self.text)
    }
}

/// How the name is shown: in full, or by its first key, whose letters it has.
const IN_FULL: u8 = 0;
const WIDE_SPACE: u8 = 1;
const SPACE: u8 = 2;

fn pack_person(role: PersonRole, person: &Person, text: &mut Vec<u8>) {
    let names: Vec<FoldedName> = person.names.iter().map(|(form, name)| FoldedName::of(*form, name)).collect();
    let keys: Vec<(NameForm, &Vec<u8>)> =
        names.iter().flat_map(|name| name.keys.iter().map(|key| (name.form, key))).collect();
    text.push(role as u8);
    if role != PersonRole::Relative {
        let first = keys.first().map(|(_, key)| key.as_slice()).unwrap_or_default();
        let shown = [(WIDE_SPACE, '\u{3000}'), (SPACE, ' ')]
            .into_iter()
            .find(|(_, space)| as_written(first, *space) == person.written)
            .map_or(IN_FULL, |(shown, _)| shown);
        text.push(shown);
        if shown == IN_FULL {
            put_bytes(person.written.as_bytes(), text);
        }
    }
    let count = keys.len().min(usize::from(u8::MAX));
    // At most 255.
    text.push(count as u8);
    for (form, key) in keys.into_iter().take(count) {
        text.push(form as u8);
        put_bytes(key, text);
    }
}

fn as_written(key: &[u8], space: char) -> String {
    // Three bytes of UTF-8 for a kana or kanji, that is one byte or three here.
    let mut name = String::with_capacity(key.len() * 3);
    name.extend(unpack(key).map(|symbol| if symbol == Symbol::BOUNDARY { space } else { symbol.to_char() }));
    name
}

/// Length in seven-bit groups, then the bytes.
fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut length = 0_usize;
    for shift in (0..28).step_by(7) {
        let byte = take_byte(rest)?;
        length |= usize::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            let (taken, after) = rest.split_at_checked(length)?;
            *rest = after;
            return Some(taken);
        }
    }
    None
}

fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    let (byte, after) = rest.split_first()?;
    *rest = after;
    Some(*byte)
}

/// The people of a packed record, read as they come.
#[derive(Clone, Copy)]
pub struct PackedPeople<'a>(&'a [u8]);

/// One of them.
pub struct PackedPerson<'a> {
    pub role: PersonRole,
    shown: u8,
    in_full: &'a [u8],
    keys: &'a [u8],
    count: u8,
}

impl<'a> Iterator for PackedPeople<'a> {
    type Item = PackedPerson<'a>;

    fn next(&mut self) -> Option<PackedPerson<'a>> {
        let rest = &mut self.0;
        let role = take_byte(rest)?;
        let role = PersonRole::ALL.get(usize::from(role)).copied()?;
        let shown = if role == PersonRole::Relative { WIDE_SPACE } else { take_byte(rest)? };
        let in_full = if shown == IN_FULL { take_bytes(rest)? } else { &[] };
        let count = take_byte(rest)?;
        let keys = *rest;
        for _ in 0..count {
            take_byte(rest)?;
            take_bytes(rest)?;
        }
        Some(PackedPerson { role, shown, in_full, keys, count })
    }
}

impl<'a> PackedPerson<'a> {
    /// The search keys of every form.
    pub fn keys(&self) -> impl Iterator<Item = (NameForm, &'a [u8])> + use<'a> {
        let mut rest = self.keys;
        (0..self.count).map_while(move |_| {
            let form = take_byte(&mut rest)?;
            Some((FORMS.get(usize::from(form)).copied()?, take_bytes(&mut rest)?))
        })
    }

    /// The name as its owner wrote it.
    pub fn written(&self) -> String {
        if self.shown == IN_FULL {
            return String::from_utf8_lossy(self.in_full).into_owned();
        }
        let space = if self.shown == WIDE_SPACE { '\u{3000}' } else { ' ' };
        self.keys().next().map(|(_, key)| as_written(key, space)).unwrap_or_default()
    }
}

const FORMS: [NameForm; 7] = [
    NameForm::Written,
    NameForm::Kana,
    NameForm::Latin,
    NameForm::Alias,
    NameForm::Former,
    NameForm::Second,
    NameForm::Joint,
];

/// What is kept of a record besides its names: 44 bytes.
#[derive(Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct RecordHeader {
    id: [u8; 16],
    text: u32,
    version: u32,
    owned_since: u32,
    birth: u32,
    /// Places in the list of organizations.
    owner: u32,
    residence: u32,
    sex: u8,
    flags: u8,
}

const CLOSED: u8 = 1;
const SERIOUS: u8 = 2;
const SEARCHABLE: u8 = 4;
const ABUSE: u8 = 8;
const SHIELDED: u8 = 16;

/// Every record, by slot.
#[derive(Default)]
pub struct Records {
    headers: Headers,
    texts: Texts,
    organizations: Vec<OrganizationCode>,
    places: HashMap<OrganizationCode, u32>,
    /// Organizations named by the owners of shielded records.
    named: HashMap<u32, Vec<OrganizationCode>>,
    slots: Slots,
    /// Slots whose record was forgotten. They stay empty until a start from the store.
    empty: usize,
}

impl Records {
    /// Number of records.
    pub fn count(&self) -> usize {
        self.headers.len() - self.empty
    }

    pub fn slot_of(&self, id: Uuid) -> Option<u32> {
        self.slots.find(&self.headers, id)
    }

    /// Puts a record in, over its older self if there is one, and says at which slot. Its older names are read with
    /// [`Self::people`] before.
    pub fn put(&mut self, record: &PackedRecord) -> u32 {
        let (slot, text) = match self.slot_of(record.facts.id) {
            Some(slot) => {
                (slot, self.texts.put_over(self.headers.at(slot).map_or(0, |header| header.text), &record.text))
            }
            None => {
                let text = self.texts.push(&record.text);
                (self.add_slot(record.facts.id), text)
            }
        };
        let header = self.header_of(slot, &record.facts);
        if let Some(here) = self.headers.at_mut(slot) {
            *here = RecordHeader { text, birth: record.birth, sex: record.sex, ..header };
        }
        slot
    }

    /// Writes the facts of a record that is known.
    pub fn put_facts(&mut self, facts: &RecordFacts) {
        let Some(slot) = self.slot_of(facts.id) else { return };
        let header = self.header_of(slot, facts);
        if let Some(here) = self.headers.at_mut(slot) {
            *here = RecordHeader { text: here.text, birth: here.birth, sex: here.sex, ..header };
        }
    }

    /// Wipes what is kept of a record. Its postings are removed before.
    pub fn forget(&mut self, slot: u32) {
        let Some(header) = self.headers.at(slot).copied() else { return };
        self.slots.remove(&self.headers, Uuid::from_bytes(header.id));
        self.named.remove(&slot);
        self.texts.wipe(header.text);
        if let Some(here) = self.headers.at_mut(slot) {
            *here = RecordHeader { text: NOWHERE, ..RecordHeader::default() };
        }
        self.empty += 1;
    }

    fn add_slot(&mut self, id: Uuid) -> u32 {
        let slot = self.headers.push(RecordHeader { id: *id.as_bytes(), ..RecordHeader::default() });
        self.slots.insert(&self.headers, slot, id);
        slot
    }

    fn header_of(&mut self, slot: u32, facts: &RecordFacts) -> RecordHeader {
        if facts.shield.named.is_empty() {
            self.named.remove(&slot);
        } else {
            self.named.insert(slot, facts.shield.named.clone());
        }
        let flags = [
            (facts.closed, CLOSED),
            (facts.serious, SERIOUS),
            (facts.searchable, SEARCHABLE),
            (facts.abuse_case, ABUSE),
            (facts.shield.active, SHIELDED),
        ];
        let number = |version: i64| u32::try_from(version).unwrap_or(u32::MAX);
        RecordHeader {
            id: *facts.id.as_bytes(),
            version: number(facts.version),
            owned_since: number(facts.owned_since),
            owner: self.place(&facts.owner),
            residence: self.place(&facts.residence),
            flags: flags.into_iter().filter(|(set, _)| *set).fold(0, |all, (_, flag)| all | flag),
            ..RecordHeader::default()
        }
    }

    fn place(&mut self, organization: &OrganizationCode) -> u32 {
        if let Some(place) = self.places.get(organization) {
            return *place;
        }
        let place = u32::try_from(self.organizations.len()).unwrap_or(u32::MAX);
        self.organizations.push(organization.clone());
        self.places.insert(organization.clone(), place);
        place
    }

    /// The facts of a record.
    pub fn facts(&self, slot: u32) -> Option<RecordFacts> {
        let header = self.headers.at(slot)?;
        let set = |flag: u8| header.flags & flag != 0;
        let organization = |place: u32| self.organizations.get(place as usize).cloned();
        Some(RecordFacts {
            id: Uuid::from_bytes(header.id),
            owner: organization(header.owner)?,
            version: i64::from(header.version),
            owned_since: i64::from(header.owned_since),
            closed: set(CLOSED),
            serious: set(SERIOUS),
            derived: DerivedFacts {
                residence: organization(header.residence)?,
                searchable: set(SEARCHABLE),
                abuse_case: set(ABUSE),
                shield: self.shield(slot, set(SHIELDED)),
            },
        })
    }

    fn shield(&self, slot: u32, active: bool) -> Shield {
        let named = if active { self.named.get(&slot).cloned().unwrap_or_default() } else { Vec::new() };
        Shield { active, named }
    }

    pub fn is_owned_by(&self, slot: u32, organization: &OrganizationCode) -> bool {
        let place = self.headers.at(slot).map(|header| header.owner);
        place.is_some_and(|place| self.organizations.get(place as usize) == Some(organization))
    }

    pub fn birth(&self, slot: u32) -> u32 {
        self.headers.at(slot).map_or(0, |header| header.birth)
    }

    pub fn birth_date(&self, slot: u32) -> PartialDate {
        Day::unpacked(self.birth(slot))
    }

    /// Code of the list `SexCode`.
    pub fn sex(&self, slot: u32) -> u8 {
        self.headers.at(slot).map_or(0, |header| header.sex)
    }

    pub fn people(&self, slot: u32) -> PackedPeople<'_> {
        PackedPeople(self.headers.at(slot).and_then(|header| self.texts.at(header.text)).unwrap_or_default())
    }

    /// The organizations, as a part of a snapshot.
    pub fn write_organizations(&self) -> Vec<u8> {
        postcard::to_allocvec(&(&self.organizations, &self.named)).unwrap_or_default()
    }

    /// Reads what [`Self::write_organizations`] wrote.
    pub fn read_organizations(&mut self, part: &[u8]) -> Option<()> {
        (self.organizations, self.named) = postcard::from_bytes(part).ok()?;
        self.places = (0..).zip(&self.organizations).map(|(place, code)| (code.clone(), place)).collect();
        Some(())
    }

    /// The pages of headers, each a part of a snapshot.
    pub fn header_parts(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.headers.pages.iter().map(|page| postcard::to_allocvec(page).unwrap_or_default())
    }

    /// Adds a page of headers after those that were read.
    pub fn read_headers(&mut self, part: &[u8]) -> Option<()> {
        let page: Vec<RecordHeader> = postcard::from_bytes(part).ok()?;
        for header in page {
            let slot = self.headers.push(header);
            if header.text == NOWHERE && header.id == [0; 16] {
                self.empty += 1;
            } else {
                self.slots.insert(&self.headers, slot, Uuid::from_bytes(header.id));
            }
        }
        Some(())
    }

    /// The pages of names, each a part of a snapshot.
    pub fn text_parts(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.texts.pages.iter().cloned()
    }

    /// Adds a page of names after those that were read.
    pub fn read_texts(&mut self, part: &[u8]) {
        let mut page = Vec::with_capacity(PAGE.max(part.len()));
        page.extend_from_slice(part);
        self.texts.pages.push(page);
    }

    /// Fetches some records from memory at once, so that waiting for one hides the waiting for the others.
    pub fn prefetch(&self, slots: &[u32], with_names: bool) {
        if slots.len() < 2 {
            return;
        }
        let texts = slots.iter().filter_map(|slot| self.headers.at(*slot)).map(|header| header.text);
        let touched = if with_names {
            texts.map(|text| u32::from(self.texts.byte(text))).fold(0, u32::wrapping_add)
        } else {
            texts.fold(0, u32::wrapping_add)
        };
        std::hint::black_box(touched);
    }
}

/// Headers in pages that never move: growing by one record never copies the others.
#[derive(Default)]
struct Headers {
    pages: Vec<Vec<RecordHeader>>,
}

const HEADERS: usize = 1 << 16;

impl Headers {
    fn len(&self) -> usize {
        self.pages.last().map_or(0, |last| (self.pages.len() - 1) * HEADERS + last.len())
    }

    fn at(&self, slot: u32) -> Option<&RecordHeader> {
        self.pages.get(slot as usize / HEADERS)?.get(slot as usize % HEADERS)
    }

    fn at_mut(&mut self, slot: u32) -> Option<&mut RecordHeader> {
        self.pages.get_mut(slot as usize / HEADERS)?.get_mut(slot as usize % HEADERS)
    }

    fn push(&mut self, header: RecordHeader) -> u32 {
        let slot = u32::try_from(self.len()).unwrap_or(u32::MAX);
        if self.pages.last().is_none_or(|last| last.len() == HEADERS) {
            self.pages.push(Vec::with_capacity(HEADERS));
        }
        if let Some(last) = self.pages.last_mut() {
            last.push(header);
        }
        slot
    }
}

/// Slots by id. Many small tables: none of them stops the searches for long when it grows.
struct Slots(Vec<HashTable<u32>>);

const SLOT_TABLES: usize = 1 << 10;

impl Default for Slots {
    fn default() -> Self {
        Self((0..SLOT_TABLES).map(|_| HashTable::new()).collect())
    }
}

impl Slots {
    fn find(&self, headers: &Headers, id: Uuid) -> Option<u32> {
        let hash = hash_of(id.as_bytes());
        let is_it = |slot: &u32| headers.at(*slot).is_some_and(|header| header.id == *id.as_bytes());
        self.0.get(hash as usize % SLOT_TABLES)?.find(hash, is_it).copied()
    }

    fn remove(&mut self, headers: &Headers, id: Uuid) {
        let hash = hash_of(id.as_bytes());
        let is_it = |slot: &u32| headers.at(*slot).is_some_and(|header| header.id == *id.as_bytes());
        if let Some(table) = self.0.get_mut(hash as usize % SLOT_TABLES)
            && let Ok(entry) = table.find_entry(hash, is_it)
        {
            entry.remove();
        }
    }

    fn insert(&mut self, headers: &Headers, slot: u32, id: Uuid) {
        let hash = hash_of(id.as_bytes());
        if let Some(table) = self.0.get_mut(hash as usize % SLOT_TABLES) {
            table.insert_unique(hash, slot, |slot| headers.at(*slot).map_or(0, |header| hash_of(&header.id)));
        }
    }
}

/// Ids are random in their lower half (RFC 9562 section 5.7). The low bits choose the table, the high ones the place.
fn hash_of(id: &[u8; 16]) -> u64 {
    let lower = id.last_chunk::<8>().map_or(0, |lower| u64::from_le_bytes(*lower));
    (lower ^ lower >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(16)
}

/// Packed names, one after another in pages that never move, each from a multiple of [`UNIT`] bytes on.
#[derive(Default)]
struct Texts {
    pages: Vec<Vec<u8>>,
}

const PAGE_BITS: u32 = 22;
const PAGE: usize = 1 << PAGE_BITS;
/// So that 32 bits reach 16 GiB: a hundred bytes for each of 160 million records.
const UNIT: usize = 4;
const UNITS_BITS: u32 = PAGE_BITS - UNIT.trailing_zeros();
const PAGES_BITS: u32 = u32::BITS - UNITS_BITS;
/// The place of a text for which there is no room: it is not found, and none is found in its stead.
const NOWHERE: u32 = u32::MAX;

impl Texts {
    /// Keeps a text and says where: page and offset in one number.
    fn push(&mut self, text: &[u8]) -> u32 {
        // At most four bytes of length, and what is left open.
        let full = self.pages.last().is_none_or(|page| page.len() + text.len() + 4 + UNIT > PAGE);
        if full {
            self.pages.push(Vec::with_capacity(PAGE));
        }
        let page = u32::try_from(self.pages.len()).unwrap_or(u32::MAX) - 1;
        let Some(last) = self.pages.last_mut() else { return NOWHERE };
        if page >> PAGES_BITS > 0 {
            return NOWHERE;
        }
        let offset = u32::try_from(last.len() / UNIT).unwrap_or(u32::MAX);
        put_bytes(text, last);
        last.resize(last.len().next_multiple_of(UNIT), 0);
        page << UNITS_BITS | offset
    }

    /// Keeps a text where an older one was, if there is room, and says where it is now.
    fn put_over(&mut self, older: u32, text: &[u8]) -> u32 {
        let mut new = Vec::with_capacity(text.len() + 4);
        put_bytes(text, &mut new);
        if let Some(here) = self.wipe(older).and_then(|here| here.get_mut(..new.len())) {
            here.copy_from_slice(&new);
            return older;
        }
        self.push(text)
    }

    /// Nothing of a text stays: a snapshot would keep it. Returns the room that it had.
    fn wipe(&mut self, text: u32) -> Option<&mut [u8]> {
        let room = self.from(text).map_or(0, |rest| {
            let mut after = rest;
            take_bytes(&mut after).map_or(0, |_| (rest.len() - after.len()).next_multiple_of(UNIT))
        });
        let (page, offset) = Self::place(text);
        let here = self.pages.get_mut(page)?.get_mut(offset..offset + room)?;
        here.fill(0);
        Some(here)
    }

    fn at(&self, text: u32) -> Option<&[u8]> {
        take_bytes(&mut self.from(text)?)
    }

    fn from(&self, text: u32) -> Option<&[u8]> {
        let (page, offset) = Self::place(text);
        self.pages.get(page)?.get(offset..)
    }

    fn place(text: u32) -> (usize, usize) {
        ((text >> UNITS_BITS) as usize, (text as usize & ((1 << UNITS_BITS) - 1)) * UNIT)
    }

    fn byte(&self, text: u32) -> u8 {
        self.from(text).and_then(|rest| rest.first()).copied().unwrap_or(0)
    }
}
