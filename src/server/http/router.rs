//! All that the server answers: each endpoint stands here once, with who may
//! call it. Its path, its method and its description stand at the handler; the
//! router, the roles and OpenAPI are made of both.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Router, middleware};
use utoipa::OpenApi as _;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use crate::server::config::{
    EVENTS_BODY_BYTES_MAX, REVIEWS_BODY_BYTES_MAX, RULES_BODY_BYTES_MAX, SMALL_BODY_BYTES_MAX,
};
use crate::server::domain::principal::AccessRole;
use crate::server::filter::Parameters;
use crate::server::http::access::{self, Access, Guard, Policy};
use crate::server::http::api::rules::{backtest, book, drafts, edit, form, history, hits, in_use, learn, trial};
use crate::server::http::api::{
    agents, alerts, audit, calibrations, calls, clips, day, export, forms, ingest, live, marks, me, operate, overview,
    quality, report, reviews, roster, sampling, scores, search, statistics, supervision, views,
};
use crate::server::http::docs;
use crate::server::http::openapi::{self, Description, Preface};
use crate::server::http::pages;
use crate::server::ingest::relay::upstream::Upstreams;
use crate::server::net::body::Room;
use crate::server::net::reply::Unanswered;
use crate::server::report::Sender;
use crate::server::runtime::Shared;

const OPEN: Policy = Policy::of(&[]);
const INGEST: Policy = Policy::of(&[AccessRole::Ingest]);
const REVIEW: Policy = Policy::of(&[AccessRole::Qa, AccessRole::Admin]);
const ADMIN: Policy = Policy::of(&[AccessRole::Admin]);
const METRICS: Policy = Policy::of(&[AccessRole::Metrics, AccessRole::Qa, AccessRole::Admin]);
/// `{agent_id}` in the path is the agent that an agent's token must be for.
const AGENT: Policy = Policy::of(&[AccessRole::Agent, AccessRole::Qa, AccessRole::Admin]);

/// One or several handlers of one path.
pub(super) type Handlers = UtoipaMethodRouter<Arc<Shared>, Infallible>;

/// Endpoints, who may call them, and how much they read.
struct Endpoints {
    router: OpenApiRouter<Arc<Shared>>,
    policies: BTreeMap<String, Policy>,
    /// Bytes that a body may have, where it is more than [`SMALL_BODY_BYTES_MAX`].
    bodies: BTreeMap<String, usize>,
}

impl Endpoints {
    fn with(mut self, policy: Policy, handlers: Handlers) -> Self {
        self.policies.extend(handlers.1.paths.keys().map(|path| (path.clone(), policy)));
        self.router = self.router.routes(handlers);
        self
    }

    fn with_body(mut self, policy: Policy, bytes_max: usize, handlers: Handlers) -> Self {
        self.bodies.extend(handlers.1.paths.keys().map(|path| (path.clone(), bytes_max)));
        self.with(policy, handlers)
    }
}

fn endpoints(shared: &Arc<Shared>) -> Endpoints {
    let events = routes!(ingest::post_events)
        .layer::<_, Infallible>(middleware::from_fn_with_state(Arc::clone(shared), ingest::take_turns));
    let router = OpenApiRouter::with_openapi(Preface::openapi());
    let none = Endpoints { router, policies: BTreeMap::new(), bodies: BTreeMap::new() };
    none.with(OPEN, routes!(pages::home))
        .with(OPEN, routes!(pages::agent))
        .with(OPEN, routes!(pages::day))
        .with(OPEN, routes!(pages::forms))
        .with(OPEN, routes!(pages::clips))
        .with(OPEN, routes!(pages::live))
        .with(OPEN, routes!(pages::call))
        .with(OPEN, routes!(pages::qa))
        .with(OPEN, routes!(pages::rules))
        .with(OPEN, routes!(pages::asset))
        .with(OPEN, routes!(docs::front))
        .with(OPEN, routes!(docs::page))
        .with(OPEN, routes!(docs::search))
        .with(OPEN, routes!(operate::healthz))
        .with(OPEN, routes!(operate::ready))
        .with(METRICS, routes!(operate::metrics))
        .with(INGEST.producer_stream(), routes!(ingest::native))
        .with(INGEST.producer_stream(), routes!(ingest::asr))
        .with(INGEST.relayed_stream(), routes!(ingest::relay))
        .with_body(INGEST, EVENTS_BODY_BYTES_MAX, events)
        .with(OPEN.telling_who(), routes!(me::me))
        .with(AGENT.page_stream(), routes!(agents::alerts, agents::answer))
        .with(AGENT.page_stream(), routes!(agents::desk))
        .with(AGENT, routes!(agents::reviews))
        .with(AGENT, routes!(agents::history))
        .with(AGENT, routes!(clips::of_agent))
        .with(AGENT, routes!(clips::one_of_agent))
        .with(AGENT, routes!(forms::of_agent))
        .with(AGENT, routes!(forms::own, forms::sign))
        .with(REVIEW, routes!(roster::agents))
        .with(AGENT, routes!(day::day))
        .with(AGENT, routes!(calls::own_call))
        .with(REVIEW.page_stream(), routes!(live::wall))
        .with(REVIEW.page_stream(), routes!(calls::watch))
        .with(REVIEW, routes!(supervision::help))
        .with(REVIEW, routes!(supervision::take))
        .with(REVIEW, routes!(supervision::release))
        .with(REVIEW, routes!(supervision::monitor))
        .with(REVIEW, routes!(supervision::flag))
        .with(REVIEW, routes!(supervision::flags))
        .with(REVIEW, routes!(supervision::settle))
        .with(REVIEW, routes!(supervision::thresholds))
        .with(REVIEW, routes!(calls::calls))
        .with(REVIEW, routes!(calls::call))
        .with(REVIEW, routes!(alerts::alerts))
        .with(REVIEW, routes!(reviews::take))
        .with_body(REVIEW, REVIEWS_BODY_BYTES_MAX, routes!(reviews::take_all))
        .with(REVIEW, routes!(reviews::open))
        .with(REVIEW, routes!(search::search))
        .with(REVIEW, routes!(sampling::assignments))
        .with(REVIEW, routes!(sampling::decide))
        .with(REVIEW, routes!(sampling::sampling))
        .with(ADMIN, routes!(sampling::draw_now))
        .with(REVIEW, routes!(marks::mark))
        .with(REVIEW, routes!(marks::kinds))
        .with(REVIEW, routes!(clips::clips, clips::make))
        .with(REVIEW, routes!(clips::one, clips::change))
        .with(REVIEW, routes!(calibrations::sessions, calibrations::make))
        .with(REVIEW, routes!(calibrations::one))
        .with(REVIEW, routes!(calibrations::answer))
        .with(REVIEW, routes!(calibrations::close))
        .with(REVIEW, routes!(forms::forms))
        .with(REVIEW, routes!(forms::of_call, forms::fill))
        .with(REVIEW, routes!(forms::filled))
        .with(REVIEW, routes!(forms::one, forms::change))
        .with(REVIEW, routes!(forms::trend))
        .with(REVIEW, routes!(forms::export))
        .with(REVIEW, routes!(scores::scores))
        .with(REVIEW, routes!(statistics::statistics))
        .with(REVIEW, routes!(overview::overview))
        .with(REVIEW, routes!(views::views, views::save))
        .with(REVIEW, routes!(views::remove))
        .with(REVIEW, routes!(report::report))
        .with(ADMIN, routes!(report::send))
        .with(REVIEW, routes!(export::export))
        .with(REVIEW, routes!(export::table))
        .with(REVIEW, routes!(quality::quality))
        .with(REVIEW, routes!(quality::history))
        .with(REVIEW, routes!(audit::audit))
        .with(OPEN, routes!(openapi::describe))
        .with(REVIEW, routes!(in_use::in_use))
        .with(ADMIN, routes!(in_use::reload))
        .with(ADMIN, learn::alone(shared, routes!(learn::learn)))
        .with(REVIEW, routes!(book::packs))
        .with(REVIEW, routes!(book::coverage))
        .with_body(REVIEW, RULES_BODY_BYTES_MAX, edit::in_turns(shared, routes!(edit::check)))
        .with_body(REVIEW, RULES_BODY_BYTES_MAX, edit::in_turns(shared, routes!(trial::try_out)))
        .with_body(REVIEW, RULES_BODY_BYTES_MAX, edit::one_by_one(shared, routes!(backtest::backtest)))
        .with_body(REVIEW, RULES_BODY_BYTES_MAX, edit::in_turns(shared, routes!(form::edit_rule)))
        .with_body(REVIEW, RULES_BODY_BYTES_MAX, edit::one_by_one(shared, routes!(hits::hits)))
        .with_body(REVIEW, RULES_BODY_BYTES_MAX, routes!(drafts::list, drafts::create))
        .with_body(REVIEW, RULES_BODY_BYTES_MAX, routes!(drafts::read, drafts::step))
        .with(REVIEW, edit::one_by_one(shared, routes!(drafts::check)))
        .with(REVIEW, routes!(history::versions))
        .with(REVIEW, routes!(history::version))
}

/// The router behind the guard.
pub(super) fn routes(shared: &Arc<Shared>, access: Arc<Access>, upstreams: Upstreams, sender: Arc<Sender>) -> Router {
    let Endpoints { router, policies, bodies } = endpoints(shared);
    let (router, described) = router.split_for_parts();
    let guard = Guard { shared: Arc::clone(shared), access, policies: Arc::new(policies) };
    router
        .fallback(pages::missing)
        .layer(Extension(Description::new(&described)))
        .layer(Extension(upstreams))
        .layer(Extension(sender))
        .layer(middleware::from_fn_with_state(Arc::new(openapi::without_query(&described)), refuse_queries))
        // The body is there already, and no longer than it may be.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state((Room::new(), Arc::new(bodies)), read_body))
        .layer(middleware::from_fn_with_state(guard, access::guard))
        .layer(middleware::map_response(declare_types))
        .with_state(Arc::clone(shared))
}

/// Refuses a query where none is described; handlers that read one refuse what they do not know.
async fn refuse_queries(
    State(bare): State<Arc<BTreeSet<(String, Method)>>>,
    method: Method,
    request: Request,
    next: Next,
) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let is_bare = !query.is_empty() && path.is_some_and(|path| bare.contains(&(path, method)));
    match Parameters::read(query, std::iter::empty()) {
        Err(bad) if is_bare => Unanswered::from(bad).into_response(),
        _ => next.run(request).await,
    }
}

/// Reads the body of a request that was let in, before its handler has a turn.
async fn read_body(
    State((room, bodies)): State<(Room, Arc<BTreeMap<String, usize>>)>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    let bytes_max = path.and_then(|path| bodies.get(path)).copied().unwrap_or(SMALL_BODY_BYTES_MAX);
    match room.read(body, bytes_max).await {
        Ok(whole) => {
            let _held = whole.held;
            next.run(Request::from_parts(parts, whole.bytes.into())).await
        }
        Err(refused) => *refused,
    }
}

/// A browser takes no answer for anything but what it says it is.
async fn declare_types(mut response: Response) -> Response {
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
