//! Scoring forms as they are written: what a reviewer answers about a call, item by item.
//!
//! Deliberately absent: answers and scores. The server has them.

use serde::{Deserialize, Serialize};

/// Items of one form.
pub const ITEMS_MAX: usize = 200;

/// A scoring form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// Unique among all forms.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// What it is for, and how to fill it.
    pub help: Option<String>,
    /// From this score on a call has passed.
    pub pass: Option<u32>,
    /// In the order of the file.
    pub groups: Vec<Group>,
}

/// Items that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its heading.
    pub title: String,
    /// In the order of the file.
    pub items: Vec<Item>,
}

/// One question of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Unique in its form.
    pub id: String,
    /// The question.
    pub title: String,
    /// When it is fulfilled, and when not.
    pub help: Option<String>,
    /// What it is worth.
    pub points: u32,
    /// The highest mark; 1 is yes or no.
    pub scale: u32,
    /// Whether it may not apply to a call.
    pub not_applicable: bool,
    /// Nothing achieved here brings the score of the form to zero.
    pub veto: bool,
    /// Less than everything needs a comment.
    pub comment: bool,
    /// Rules whose alerts answer it.
    pub rules: Vec<String>,
    /// Packs whose alerts answer it.
    pub packs: Vec<String>,
    /// Categories of marked violations that answer it.
    pub categories: Vec<String>,
}

impl Form {
    /// All items in the order of the file.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.groups.iter().flat_map(|group| &group.items)
    }
}
