//! JSON text on its way through the server: written once, then handed on and kept as it is.

use std::ops::Deref;
use std::sync::Arc;

/// An immutable JSON text; a clone copies no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Json(Arc<str>);

impl Deref for Json {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}
