//! Names in tantivy: bigrams with places, so that a fragment is a phrase of them; single letters apart.
//!
//! Comes in: the people. Goes out: hits, one after another without scores, until there are enough. What is shown of
//! them is in memory beside the index, as the gateway's own engine has it.

use tantivy::{
    DocSet, Index, IndexWriter, ReloadPolicy, Searcher, TERMINATED, TantivyDocument, Term,
    columnar::Column,
    merge_policy::NoMergePolicy,
    query::{BooleanQuery, EnableScoring, PhraseQuery, Query, TermQuery},
    schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, SchemaBuilder, TextFieldIndexing, TextOptions},
    tokenizer::{Token, TokenStream, Tokenizer},
};

use super::{
    ENOUGH, Peer, Shown,
    people::{People, grams, grams_of_piece, pieces},
    seconds,
};
use crate::queries::Asked;

const HEAP_BYTES: usize = 256 << 20;

/// An index in memory, of one segment.
pub struct Bigrams {
    fields: Fields,
    searcher: Searcher,
    /// Of each segment.
    ids: Vec<Column<u64>>,
    /// By id; `None` where it is not searchable.
    shown: Vec<Option<Shown>>,
}

#[derive(Clone, Copy)]
struct Fields {
    id: Field,
    birth_year: Field,
    child: Names,
    guardian: Names,
}

/// The same names twice.
#[derive(Clone, Copy)]
struct Names {
    bigrams: Field,
    letters: Field,
}

impl Bigrams {
    pub fn build(people: &People<'_>) -> (Self, f64) {
        let (schema, fields) = Fields::schema();
        let index = Index::create_in_ram(schema);
        index.tokenizers().register("bigrams", Grams(2));
        index.tokenizers().register("letters", Grams(1));
        let mut writer: IndexWriter = index.writer_with_num_threads(1, HEAP_BYTES).expect("writer");
        writer.set_merge_policy(Box::new(NoMergePolicy));
        let mut shown = Vec::with_capacity(people.records as usize);
        let adding = people.each_batch(|rows| {
            for row in rows {
                shown.push(
                    row.searchable
                        .then(|| (row.id as i64, row.child_kanji.clone(), row.guardian.clone(), row.birth_year)),
                );
                let mut document = TantivyDocument::default();
                document.add_u64(fields.id, row.id);
                document.add_u64(fields.birth_year, row.birth_year as u64);
                fields.child.add(&mut document, &format!("{} {}", row.child_kanji, row.child_kana));
                fields.guardian.add(&mut document, &row.guardian);
                writer.add_document(document).expect("document");
            }
        });
        let merging = seconds(|| {
            writer.commit().expect("commit");
            let segments = index.searchable_segment_ids().expect("segments");
            if segments.len() > 1 {
                writer.merge(&segments).wait().expect("merge");
            }
            writer.wait_merging_threads().expect("merge");
        });
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().expect("reader");
        let searcher = reader.searcher();
        let ids = searcher.segment_readers().iter().map(|segment| segment.fast_fields().u64("id").expect("ids"));
        let ids = ids.collect();
        (Self { fields, searcher, ids, shown }, adding + merging)
    }
}

impl Fields {
    fn schema() -> (Schema, Self) {
        let mut schema = Schema::builder();
        let fields = Self {
            id: schema.add_u64_field("id", FAST),
            birth_year: schema.add_u64_field("birth_year", INDEXED | FAST),
            child: Names::new(&mut schema, "child"),
            guardian: Names::new(&mut schema, "guardian"),
        };
        (schema.build(), fields)
    }
}

impl Names {
    fn new(schema: &mut SchemaBuilder, name: &str) -> Self {
        let mut field = |tokenizer: &str, option: IndexRecordOption| {
            let indexing =
                TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(option).set_fieldnorms(false);
            schema.add_text_field(&format!("{name}_{tokenizer}"), TextOptions::default().set_indexing_options(indexing))
        };
        Self {
            bigrams: field("bigrams", IndexRecordOption::WithFreqsAndPositions),
            letters: field("letters", IndexRecordOption::Basic),
        }
    }

    fn add(self, document: &mut TantivyDocument, names: &str) {
        document.add_text(self.bigrams, names);
        document.add_text(self.letters, names);
    }

    fn holding(self, piece: &str) -> Box<dyn Query> {
        let field = if piece.chars().count() == 1 { self.letters } else { self.bigrams };
        let mut terms: Vec<Term> =
            grams_of_piece(piece).into_iter().map(|gram| Term::from_field_text(field, gram)).collect();
        if terms.len() == 1 {
            Box::new(TermQuery::new(terms.remove(0), IndexRecordOption::Basic))
        } else {
            Box::new(PhraseQuery::new(terms))
        }
    }
}

impl Peer for Bigrams {
    const NAME: &'static str = "tantivy bigram phrases";

    fn answer(&mut self, asked: &Asked) -> Vec<Shown> {
        let Self { fields, searcher, ids, shown } = self;
        let mut all: Vec<Box<dyn Query>> = pieces(&asked.child).map(|piece| fields.child.holding(piece)).collect();
        let guardian = asked.guardian.iter().flat_map(|guardian| pieces(guardian));
        all.extend(guardian.map(|piece| fields.guardian.holding(piece)));
        if let Some(year) = asked.year {
            let term = Term::from_field_u64(fields.birth_year, year as u64);
            all.push(Box::new(TermQuery::new(term, IndexRecordOption::Basic)));
        }
        let query = BooleanQuery::intersection(all);
        let weight = query.weight(EnableScoring::disabled_from_searcher(searcher)).expect("query");
        let mut found = Vec::new();
        for (segment, ids) in searcher.segment_readers().iter().zip(ids) {
            let mut matches = weight.scorer(segment, 1.0).expect("query");
            let mut document = matches.doc();
            while document != TERMINATED && found.len() < ENOUGH {
                let hit = ids.first(document).and_then(|id| shown.get(id as usize)?.as_ref());
                found.extend(hit.cloned());
                document = matches.advance();
            }
        }
        found
    }
}

/// Makes grams of so many letters. Tantivy's own n-grams all have the same place, and no phrase can be made of them.
#[derive(Clone)]
struct Grams(usize);

struct GramStream<'a> {
    grams: Box<dyn Iterator<Item = (usize, &'a str)> + 'a>,
    token: Token,
}

impl Tokenizer for Grams {
    type TokenStream<'a> = GramStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> GramStream<'a> {
        GramStream { grams: Box::new(grams(text, self.0)), token: Token::default() }
    }
}

impl TokenStream for GramStream<'_> {
    fn advance(&mut self) -> bool {
        let Some((place, gram)) = self.grams.next() else { return false };
        self.token.position = place;
        self.token.text.clear();
        self.token.text.push_str(gram);
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}
