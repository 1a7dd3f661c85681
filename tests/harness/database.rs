//! A database of its own on the PostgreSQL that `scripts/test` starts.

use tokio_postgres::{Client, NoTls};

/// A database.
pub(crate) struct Database {
    name: String,
    pub(crate) address: String,
    client: Client,
}

impl Database {
    /// An empty one; none where no server is named in `TEST_POSTGRES`.
    pub(crate) async fn new(name: &str) -> Option<Self> {
        let server = std::env::var("TEST_POSTGRES").ok()?;
        let (client, connection) = tokio_postgres::connect(&server, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await.unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        let (server, _) = server.rsplit_once('/').unwrap();
        Some(Self { name: name.to_owned(), address: format!("{server}/{name}"), client })
    }

    /// Ends its sessions, as a database that is started again does.
    pub(crate) async fn cut(&self) {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        self.client.execute(cut, &[&self.name]).await.unwrap();
    }
}
