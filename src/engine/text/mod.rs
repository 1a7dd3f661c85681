//! stub
#![allow(missing_docs)]
use super::rule::syntax::{Boundary, Homophone};
use std::ops::Range;
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PhraseId(pub u32);
#[derive(Clone, Copy, Debug)]
pub struct PhraseOptions {
    pub homophone: Homophone,
    pub boundary: Boundary,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    Exact,
    Toneless,
    Merged,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    pub phrase: PhraseId,
    pub start: usize,
    pub end: usize,
    pub likeness: Likeness,
}
#[derive(Debug)]
pub struct PhraseError {
    pub offset: usize,
    pub zh: String,
    pub en: String,
}
#[derive(Debug)]
pub struct BuildError {
    pub zh: String,
    pub en: String,
}
#[derive(Debug, Default)]
pub struct LexiconBuilder;
impl LexiconBuilder {
    pub fn new() -> Self {
        Self
    }
    pub fn add(&mut self, _t: &str, _o: PhraseOptions) -> Result<PhraseId, PhraseError> {
        todo!()
    }
    pub fn add_context(&mut self, _t: &str, _o: PhraseOptions) -> Result<PhraseId, PhraseError> {
        todo!()
    }
    pub fn build(self) -> Result<Lexicon, BuildError> {
        todo!()
    }
}
#[derive(Debug)]
pub struct Lexicon;
impl Lexicon {
    pub fn len(&self) -> usize {
        0
    }
    pub fn scan(&self, _r: &str, _p: Option<&FoldedText>, _t: &mut FoldedText) {}
    pub fn matches(&self, _t: &FoldedText, _f: &mut Vec<Match>) {}
    pub fn in_words(&self, _t: &FoldedText, _m: &Match) -> bool {
        true
    }
    pub fn find(&self, _p: PhraseId, _t: &FoldedText, _w: Range<usize>) -> Option<Range<usize>> {
        None
    }
    pub fn phrase_text(&self, _p: PhraseId) -> &str {
        ""
    }
    pub fn words(&self, _t: &FoldedText, _m: &Match) -> Vec<String> {
        todo!()
    }
    pub fn has_candidates(&self, _t: &FoldedText) -> bool {
        false
    }
}
#[derive(Debug, Default)]
pub struct FoldedText;
pub struct RawSpan {
    pub previous: Option<Range<usize>>,
    pub own: Option<Range<usize>>,
}
impl FoldedText {
    pub fn new() -> Self {
        Self
    }
    pub fn raw(&self) -> &str {
        ""
    }
    pub fn len(&self) -> usize {
        0
    }
    pub fn is_empty(&self) -> bool {
        true
    }
    pub fn lead(&self) -> usize {
        0
    }
    pub fn chars(&self) -> &[char] {
        &[]
    }
    pub fn raw_span(&self, _r: Range<usize>) -> RawSpan {
        todo!()
    }
    pub fn clause(&self, _i: usize) -> Range<usize> {
        0..0
    }
    pub fn sentence(&self, _i: usize) -> Range<usize> {
        0..0
    }
    pub fn ends_with_question_mark(&self, _r: Range<usize>) -> bool {
        false
    }
    pub fn quoted(&self, _r: Range<usize>) -> bool {
        false
    }
    pub fn spoken_chars(&self) -> usize {
        0
    }
    pub fn settle(&mut self) {}
}
