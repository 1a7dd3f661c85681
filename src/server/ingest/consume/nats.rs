//! NATS: the messages of a subject as they are sent, or those of a stream, each until it is done with.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::message::{AckKind, Acker};
use async_nats::{Client, ConnectOptions, Event, ServerAddr, jetstream};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::adapter::native::Number;
use crate::server::clock;
use crate::server::config::{CONSUMED_IN_FLIGHT_MAX, CONSUMED_QUEUE_MAX, CONSUMED_TIMEOUT, ConsumeFrom};
use crate::server::ingest::consume::{Link, Message, Outcome, Receipt, Target};
use crate::server::runtime::Shared;
use crate::server::telemetry::events::{Happening as _, MessagesLost};

/// JetStream sends a message again that is not done with for so long: longer than one may wait for its call.
const ACK_WAIT: Duration = Duration::from_secs(20);
/// Messages of a stream that are asked for at once.
const PULL_MAX: usize = 256;
/// How long one question for messages stands, and how often the server says that it is there meanwhile.
const PULL_EXPIRES: Duration = Duration::from_secs(30);
const PULL_HEARTBEAT: Duration = Duration::from_secs(5);
/// Notes about the connection that wait to be told.
const EVENTS_MAX: usize = 64;

pub(super) struct Subscription {
    client: Client,
    /// What becomes of the connection; the client mends it by itself.
    events: mpsc::Receiver<Event>,
    messages: Messages,
}

enum Messages {
    Subject(async_nats::Subscriber),
    /// With the name under which the stream numbers its messages.
    Stream(Box<pull::Stream>, String),
}

impl Subscription {
    /// # Errors
    /// There is no server, or it does not let us in, or has no such stream; why, without the address.
    pub(super) async fn open(target: &Target, servers: &[&str]) -> Result<Self, String> {
        let (tell, events) = mpsc::channel(EVENTS_MAX);
        let servers: Vec<ServerAddr> = servers
            .iter()
            .map(|server| {
                format!("nats://{server}").parse().map_err(|_| "a server's address cannot be used".to_owned())
            })
            .collect::<Result<_, _>>()?;
        let client = timeout(CONSUMED_TIMEOUT, options(target, tell)?.connect(servers))
            .await
            .map_err(|_| format!("no answer within {} s", CONSUMED_TIMEOUT.as_secs()))?
            .map_err(|fault| fault.to_string())?;
        let consume = &target.consume;
        let messages = match &consume.stream {
            Some(stream) => pulled(&client, target, stream).await?,
            None => {
                let subject = consume.subject.clone().unwrap_or_default();
                let subscriber = client.subscribe(subject).await.map_err(|fault| fault.to_string())?;
                client.flush().await.map_err(|fault| fault.to_string())?;
                Messages::Subject(subscriber)
            }
        };
        Ok(Self { client, events, messages })
    }

    pub(super) async fn next(&mut self, shared: &Shared, link: &mut Link<'_>) -> Result<Message, String> {
        loop {
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => note(&event, shared, link),
                message = self.messages.next(shared, link.source) => return message,
            }
        }
    }

    /// Sends what waits to be sent.
    pub(super) async fn flush(&self) {
        // A server that is gone is noticed elsewhere.
        let _ = timeout(CONSUMED_TIMEOUT, self.client.flush()).await;
    }
}

fn options(target: &Target, tell: mpsc::Sender<Event>) -> Result<ConnectOptions, String> {
    let consume = &target.consume;
    let mut options = ConnectOptions::new()
        .name(format!("tingjian {}", consume.name))
        .connection_timeout(CONSUMED_TIMEOUT)
        .request_timeout(Some(CONSUMED_TIMEOUT))
        .subscription_capacity(CONSUMED_QUEUE_MAX)
        .event_callback(move |event| {
            let tell = tell.clone();
            async move {
                // What finds no room follows many that say the same.
                let _ = tell.try_send(event);
            }
        });
    if let Some(credentials) = &target.credentials {
        options = options.credentials(credentials.reveal()).map_err(|fault| format!("credentials: {fault}"))?;
    }
    if let (Some(user), Some(password)) = (&consume.user, &target.password) {
        options = options.user_and_password(user.clone(), password.reveal().to_owned());
    }
    if let Some(token) = &target.token {
        options = options.token(token.reveal().to_owned());
    }
    if let Some(tls) = &target.tls {
        options = options.require_tls(true).tls_client_config(tls.as_ref().clone());
    }
    Ok(options)
}

async fn pulled(client: &Client, target: &Target, stream: &str) -> Result<Messages, String> {
    let consume = &target.consume;
    let context = jetstream::new(client.clone());
    let stream = context.get_stream(stream).await.map_err(|fault| format!("stream: {fault}"))?;
    let durable = consume.durable.clone().unwrap_or_else(|| format!("tingjian-{}", consume.name));
    let config = pull::Config {
        durable_name: Some(durable.clone()),
        deliver_policy: match consume.from {
            ConsumeFrom::New => DeliverPolicy::New,
            ConsumeFrom::All => DeliverPolicy::All,
        },
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_ack_pending: CONSUMED_IN_FLIGHT_MAX as i64,
        filter_subject: consume.subject.clone().unwrap_or_default(),
        ..pull::Config::default()
    };
    let consumer =
        stream.get_or_create_consumer(&durable, config).await.map_err(|fault| format!("durable: {fault}"))?;
    let messages = consumer
        .stream()
        .max_messages_per_batch(PULL_MAX)
        .expires(PULL_EXPIRES)
        .heartbeat(PULL_HEARTBEAT)
        .messages()
        .await
        .map_err(|fault| fault.to_string())?;
    // A stream of the same name that is made anew counts from 1 again.
    let producer = format!("{}@{}", consume.name, stream.cached_info().created.unix_timestamp());
    Ok(Messages::Stream(Box::new(messages), producer))
}

/// Tells what becomes of the connection.
fn note(event: &Event, shared: &Shared, link: &mut Link<'_>) {
    match event {
        Event::Connected => link.up(),
        Event::Disconnected | Event::Closed => link.down(&"disconnected"),
        Event::ServerError(fault) => link.down(fault),
        Event::ClientError(fault) => link.down(fault),
        Event::SlowConsumer(_) => {
            let reason = "messages come faster than they are taken";
            MessagesLost { source: link.source, reason, count: 1 }.report(&shared.metrics);
        }
        Event::LameDuckMode | Event::Draining => {}
    }
}

impl Messages {
    async fn next(&mut self, shared: &Shared, source: &str) -> Result<Message, String> {
        match self {
            Self::Subject(subscriber) => {
                let message = subscriber.next().await.ok_or("the subscription ended")?;
                Ok(read(message, Number::default(), Receipt::None))
            }
            Self::Stream(messages, producer) => {
                let message = messages.next().await.ok_or("the consumer ended")?.map_err(|fault| fault.to_string())?;
                let (seq, pending) = message
                    .info()
                    .map(|info| (info.stream_sequence, info.pending))
                    .map_err(|fault| format!("a message without its number: {fault}"))?;
                let lag = shared.metrics.consume_lag.with_label_values(&[source, "stream"]);
                lag.set(i64::try_from(pending).unwrap_or(i64::MAX));
                let (message, acker) = message.split();
                let number = Number { producer: Some(producer.clone()), seq: Some(seq) };
                Ok(read(message, number, Receipt::JetStream(Box::new(acker))))
            }
        }
    }
}

fn read(message: async_nats::Message, number: Number, receipt: Receipt) -> Message {
    let headers = message.headers.iter().flat_map(async_nats::HeaderMap::iter);
    let first = headers.filter_map(|(name, values)| Some((name.to_string(), values.first()?.to_string())));
    Message {
        subject: message.subject.to_string(),
        key: None,
        headers: first.collect(),
        payload: message.payload,
        number,
        received: clock::now(),
        receipt,
    }
}

/// Tells JetStream that a message is done with. If this is lost, it comes again, and is known.
pub(super) async fn settle(acker: &Acker, outcome: Outcome) {
    let _ = match outcome {
        Outcome::Taken => acker.ack().await,
        Outcome::Refused { .. } => acker.ack_with(AckKind::Term).await,
        Outcome::Untold => return,
    };
}
