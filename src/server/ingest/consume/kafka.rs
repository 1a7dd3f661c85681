//! Kafka: the partitions of a topic, each read in its order. How far they are taken is kept in the store beside the
//! events, and nowhere else: there is no consumer group.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rskafka::BackoffConfig;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rskafka::record::Record;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Bytes;

use crate::adapter::native::Number;
use crate::server::clock;
use crate::server::config::{
    CONSUMED_FETCH_BYTES_MAX, CONSUMED_QUEUE_MAX, CONSUMED_TIMEOUT, ConsumeFrom, FRAME_BYTES_HARD_MAX, Sasl,
};
use crate::server::ingest::consume::{Message, Outcome, Receipt, Target};
use crate::server::runtime::Shared;
use crate::server::store::Position;
use crate::server::telemetry::events::{Happening as _, MessagesLost};

/// How long a broker waits for records before it answers that there are none.
const FETCH_WAIT_MS: i32 = 1_000;
/// How often a topic is looked at for new partitions.
const LOOK_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Topic {
    source: String,
    topic: String,
    messages: mpsc::Receiver<Result<Message, String>>,
    partitions: HashMap<i32, Progress>,
    /// Ended when this is dropped.
    _tasks: JoinSet<()>,
}

/// How far a partition is taken.
struct Progress {
    /// The records that were handed out, in their order, and whether they are done with.
    under_way: VecDeque<(i64, bool)>,
    /// The first record that is not done with.
    next_offset: i64,
    kept: Option<i64>,
}

/// One partition that is read.
struct Reader {
    shared: Arc<Shared>,
    source: String,
    client: PartitionClient,
    offset: i64,
    messages: mpsc::Sender<Result<Message, String>>,
}

impl Topic {
    /// # Errors
    /// There is no broker, or it does not let us in, or has no such topic; why.
    pub(super) async fn open(shared: &Arc<Shared>, target: &Target, servers: &[&str]) -> Result<Self, String> {
        let no_answer = |_| format!("no answer within {} s", CONSUMED_TIMEOUT.as_secs());
        timeout(CONSUMED_TIMEOUT, Self::open_patiently(shared, target, servers)).await.map_err(no_answer)?
    }

    async fn open_patiently(shared: &Arc<Shared>, target: &Target, servers: &[&str]) -> Result<Self, String> {
        let (source, topic) = (target.name().to_owned(), target.consume.topic.clone().unwrap_or_default());
        let client = builder(target, servers).build().await.map_err(|fault| fault.to_string())?;
        let numbers = partitions(&client, &topic).await?;
        let kept = shared.store.positions(source.clone(), topic.clone()).await.map_err(|fault| fault.message())?;
        let (sender, messages) = mpsc::channel(CONSUMED_QUEUE_MAX);
        let mut tasks = JoinSet::new();
        let mut progress = HashMap::new();
        for partition in &numbers {
            let client = client
                .partition_client(topic.clone(), *partition, UnknownTopicHandling::Error)
                .await
                .map_err(|fault| fault.to_string())?;
            let kept = kept.iter().find(|position| position.partition == *partition).map(|kept| kept.next_offset);
            let offset = match (kept, target.consume.from) {
                (Some(offset), _) => offset,
                (None, ConsumeFrom::New) => {
                    client.get_offset(OffsetAt::Latest).await.map_err(|fault| fault.to_string())?
                }
                (None, ConsumeFrom::All) => {
                    client.get_offset(OffsetAt::Earliest).await.map_err(|fault| fault.to_string())?
                }
            };
            progress.insert(*partition, Progress { under_way: VecDeque::new(), next_offset: offset, kept });
            let messages = sender.clone();
            let reader = Reader { shared: Arc::clone(shared), source: source.clone(), client, offset, messages };
            tasks.spawn(reader.run());
        }
        tasks.spawn(watch(client, topic.clone(), numbers, sender));
        Ok(Self { source, topic, messages, partitions: progress, _tasks: tasks })
    }

    pub(super) async fn next(&mut self) -> Result<Message, String> {
        let message = self.messages.recv().await.ok_or("all partitions ended")??;
        if let Receipt::Kafka { partition, offset } = message.receipt
            && let Some(progress) = self.partitions.get_mut(&partition)
        {
            progress.under_way.push_back((offset, false));
        }
        Ok(message)
    }

    pub(super) fn settle(&mut self, partition: i32, offset: i64, outcome: Outcome) {
        if outcome != Outcome::Untold
            && let Some(progress) = self.partitions.get_mut(&partition)
        {
            progress.settle(offset);
        }
    }

    /// Keeps how far the partitions are taken. What the store refuses is kept the next time.
    pub(super) async fn flush(&mut self, shared: &Shared) {
        let moved = self.partitions.iter().filter(|(_, progress)| progress.kept != Some(progress.next_offset));
        let positions: Vec<_> = moved
            .map(|(partition, progress)| Position { partition: *partition, next_offset: progress.next_offset })
            .collect();
        if positions.is_empty() {
            return;
        }
        let keeping = shared.journal.keep_positions(self.source.clone(), self.topic.clone(), positions.clone());
        if let Ok(Ok(())) = keeping.await {
            for Position { partition, next_offset } in positions {
                if let Some(progress) = self.partitions.get_mut(&partition) {
                    progress.kept = Some(next_offset);
                }
            }
        }
    }
}

impl Progress {
    /// A record is done with; so is all before the first that is not.
    fn settle(&mut self, offset: i64) {
        if let Ok(index) = self.under_way.binary_search_by_key(&offset, |(offset, _)| *offset) {
            self.under_way[index].1 = true;
        }
        while let Some((offset, true)) = self.under_way.front() {
            self.next_offset = offset + 1;
            self.under_way.pop_front();
        }
    }
}

fn builder(target: &Target, servers: &[&str]) -> ClientBuilder {
    let mut builder = ClientBuilder::new(servers.iter().map(|server| (*server).to_owned()).collect())
        .client_id("tingjian")
        // One record more than what is asked for, however large, and what stands around it.
        .max_message_size(CONSUMED_FETCH_BYTES_MAX as usize + 16 * FRAME_BYTES_HARD_MAX)
        .backoff_config(BackoffConfig { deadline: Some(CONSUMED_TIMEOUT), ..BackoffConfig::default() });
    if let Some(tls) = &target.tls {
        builder = builder.tls_config(Arc::clone(tls));
    }
    if let (Some(user), Some(password)) = (&target.consume.user, &target.password) {
        let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
        builder = builder.sasl_config(match target.consume.sasl {
            Sasl::Plain => SaslConfig::Plain(credentials),
            Sasl::ScramSha256 => SaslConfig::ScramSha256(credentials),
            Sasl::ScramSha512 => SaslConfig::ScramSha512(credentials),
        });
    }
    builder
}

/// The partitions of a topic.
async fn partitions(client: &Client, topic: &str) -> Result<Vec<i32>, String> {
    let topics = client.list_topics().await.map_err(|fault| fault.to_string())?;
    let found = topics.into_iter().find(|found| found.name == topic).ok_or("topic: there is none of this name")?;
    Ok(found.partitions.into_iter().collect())
}

/// Ends the connection when the topic has other partitions.
async fn watch(client: Client, topic: String, numbers: Vec<i32>, messages: mpsc::Sender<Result<Message, String>>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let found = partitions(&client, &topic).await;
        if found.as_ref() != Ok(&numbers) {
            let fault = found.err().unwrap_or_else(|| "the topic has other partitions".to_owned());
            let _ = messages.send(Err(fault)).await;
            return;
        }
    }
}

impl Reader {
    /// Reads on until a fault, or nobody listens.
    async fn run(mut self) {
        let fault = loop {
            match self.fetch().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(fault) => break fault,
            }
        };
        let _ = self.messages.send(Err(fault)).await;
    }

    /// Hands on what there is; false if nobody listens.
    async fn fetch(&mut self) -> Result<bool, String> {
        let fetched = self.client.fetch_records(self.offset, 1..CONSUMED_FETCH_BYTES_MAX, FETCH_WAIT_MS).await;
        let (records, end) = match fetched {
            Ok(fetched) => fetched,
            Err(Error::ServerError { protocol_error: ProtocolError::OffsetOutOfRange, .. }) => {
                self.pass_over().await?;
                return Ok(true);
            }
            Err(fault) => return Err(fault.to_string()),
        };
        let partition = self.client.partition();
        let lag = self.shared.metrics.consume_lag.with_label_values(&[&self.source, &partition.to_string()]);
        // A batch is handed out whole, from before what was asked for.
        let asked = self.offset;
        for found in records.into_iter().filter(|found| found.offset >= asked) {
            self.offset = found.offset + 1;
            lag.set(end.saturating_sub(self.offset));
            let message = self.message(partition, found.offset, found.record);
            if self.messages.send(Ok(message)).await.is_err() {
                return Ok(false);
            }
        }
        lag.set(end.saturating_sub(self.offset));
        Ok(true)
    }

    /// Goes on at the first record that the broker still has.
    async fn pass_over(&mut self) -> Result<(), String> {
        let earliest = self.client.get_offset(OffsetAt::Earliest).await.map_err(|fault| fault.to_string())?;
        let count = u64::try_from(earliest.saturating_sub(self.offset)).unwrap_or_default();
        let reason = "the topic no longer has them";
        MessagesLost { source: &self.source, reason, count }.report(&self.shared.metrics);
        self.offset = earliest;
        Ok(())
    }

    fn message(&self, partition: i32, offset: i64, record: Record) -> Message {
        let Record { key, value, headers, .. } = record;
        let text = |value: Vec<u8>| String::from_utf8(value).ok();
        let producer = format!("{}/{partition}", self.source);
        Message {
            subject: self.client.topic().to_owned(),
            key: key.map(Bytes::from),
            headers: headers.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect(),
            payload: value.map(Bytes::from).unwrap_or_default(),
            number: Number { producer: Some(producer), seq: u64::try_from(offset).ok() },
            received: clock::now(),
            receipt: Receipt::Kafka { partition, offset },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_passes_nothing_over_that_is_under_way() {
        let mut progress = Progress { under_way: VecDeque::new(), next_offset: 5, kept: None };
        // Records may be missing in between.
        progress.under_way.extend([5, 6, 9, 10].map(|offset| (offset, false)));
        for (settled, next_offset) in [(6, 5), (9, 5), (5, 10), (7, 10), (10, 11)] {
            progress.settle(settled);
            assert_eq!(progress.next_offset, next_offset, "after {settled}");
        }
    }
}
