//! `[cluster]`: engines beside the server, where one machine is not enough.

use serde::{Deserialize, Serialize};

use crate::server::config::{Secret, SecretSource};

/// `[cluster]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// The database that keeps everything, instead of a file in the data directory.
    pub postgres: Option<SecretSource>,
}

impl Cluster {
    /// The address of the database.
    ///
    /// # Errors
    /// Its file cannot be read.
    pub(crate) fn read_postgres(&self) -> Result<Option<Secret>, String> {
        self.postgres.as_ref().map(SecretSource::read).transpose()
    }
}
