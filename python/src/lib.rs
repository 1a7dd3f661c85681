//! The border between Python and tingjian. Events, rows and alerts cross it as JSON; `python/tingjian` makes Python's own
//! values of them. What takes long runs without Python's lock.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::FixedOffset;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::Value;
use tingjian::adapter::native::{self, Event, EventBody};
use tingjian::adapter::table::{Calls, Field, Mapping};
use tingjian::backtest::{Control, all_cores};
use tingjian::engine::rule::RuleSet;
use tingjian::engine::rule::thresholds::Thresholds;
use tingjian::engine::time::CallTime;
use tingjian::learning::{self, Row};
use tingjian::numbers::Seen;
use tingjian::recording::{self, Judging, Recording};
use tingjian::rule_files;
use tingjian::session::Session;

fn wrong(fault: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(fault.to_string())
}

/// Rules, compiled.
#[pyclass(frozen, name = "Rules", module = "tingjian._native")]
struct Rules {
    rules: Arc<RuleSet>,
}

#[pymethods]
impl Rules {
    /// The rules of a directory, or those built in.
    #[new]
    #[pyo3(signature = (directory=None, parameters=None))]
    fn new(py: Python<'_>, directory: Option<PathBuf>, parameters: Option<PathBuf>) -> PyResult<Self> {
        py.detach(|| {
            let sources = rule_files::read(directory.as_deref(), parameters.as_deref(), Thresholds::default()).map_err(wrong)?;
            let loaded = sources.load().map_err(|faults| wrong(rule_files::rendered(&faults, &sources)))?;
            Ok(Self { rules: loaded.rules })
        })
    }

    /// The version, which every alert bears.
    #[getter]
    fn version(&self) -> String {
        self.rules.version.to_string()
    }

    /// The alerts of events, one JSON object each; and what of the events cannot be used, by number from 1.
    fn check(&self, py: Python<'_>, events: Vec<String>, all_states: bool, held: bool) -> (Vec<String>, Vec<(usize, String)>) {
        py.detach(|| {
            let judging = Judging { rules: Arc::clone(&self.rules), held, masked: false };
            let (mut told, mut faults) = (Vec::new(), Vec::new());
            let mut recording = Recording::new(&judging);
            let mut tell = |session: &Session, alert: &_| {
                if all_states {
                    told.push(session.to_wire(alert).to_json());
                }
                Ok::<(), Infallible>(())
            };
            for (number, event) in (1..).zip(&events) {
                let outcome = match native::parse(event) {
                    Ok(event) => recording.take(event, &mut tell).unwrap_or_else(|never| match never {}),
                    Err(fault) => Err(fault.to_string()),
                };
                if let Err(fault) = outcome {
                    faults.push((number, fault));
                }
            }
            let mut standing = recording.finish(&mut tell).unwrap_or_else(|never| match never {});
            if !all_states {
                recording::by_time(&mut standing);
                told.extend(standing.into_iter().map(|alert| alert.json));
            }
            (told, faults)
        })
    }

    /// The alerts of the rows of a table, call by call; and what of the rows cannot be used, by number from 1, with
    /// the field.
    #[allow(clippy::type_complexity)]
    fn check_rows(
        &self,
        py: Python<'_>,
        rows: Vec<String>,
        columns: Vec<(String, String)>,
        words: Vec<(String, String, String)>,
        defaults: Vec<(String, String)>,
        utc_offset: &str,
        held: bool,
    ) -> PyResult<(Vec<String>, Vec<(u64, Option<String>, String)>)> {
        let zone: FixedOffset = utc_offset.parse().map_err(|_| wrong(format!("{utc_offset} is no offset: write +08:00")))?;
        let mut mapping = Mapping::new(zone);
        for (field, heading) in &columns {
            mapping.column(field, heading).map_err(wrong)?;
        }
        for (field, written, meant) in &words {
            mapping.word(field, written, meant).map_err(wrong)?;
        }
        for (field, value) in &defaults {
            mapping.default(field, value).map_err(wrong)?;
        }
        Ok(py.detach(|| {
            let judging = Judging { rules: Arc::clone(&self.rules), held, masked: false };
            let mut calls = Calls::new(&mapping);
            let mut faults = Vec::new();
            let name = |field: Option<Field>| field.map(|field| field.name().to_owned());
            for (number, row) in (1..).zip(&rows) {
                let Ok(Value::Object(object)) = serde_json::from_str(row) else {
                    faults.push((number, None, "不是对象 / is no object".to_owned()));
                    continue;
                };
                for fault in calls.take(number, &mapping.cells(object)).err().unwrap_or_default() {
                    faults.push((number, name(fault.field), fault.to_string()));
                }
            }
            let (whole, more) = calls.finish();
            faults.extend(more.into_iter().map(|(number, fault)| (number, name(fault.field), fault.to_string())));
            let mut told = Vec::new();
            for call in whole {
                let standing = recording::judge(call, &judging, &mut |_, _| Ok::<(), Infallible>(()));
                told.extend(standing.unwrap_or_else(|never| match never {}).into_iter().map(|alert| alert.json));
            }
            (told, faults)
        }))
    }

    /// A call in progress, which began with this `call.start`.
    fn begin(&self, start: &str) -> PyResult<Live> {
        match native::parse(start).map_err(wrong)? {
            Event { call_id, number, body: EventBody::Start(info) } => {
                let session = Session::new(Arc::clone(&self.rules), *info, &number);
                Ok(Live { call_id, session: Mutex::new(session) })
            }
            _ => Err(wrong("a call begins with call.start")),
        }
    }
}

/// A call in progress.
#[pyclass(frozen, name = "Live", module = "tingjian._native")]
struct Live {
    call_id: String,
    session: Mutex<Session>,
}

fn drained(session: &mut Session, held: bool) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(alert) = session.poll_output() {
        if held || !alert.held {
            told.push(session.to_wire(&alert).to_json());
        }
    }
    told
}

#[pymethods]
impl Live {
    /// Takes an event; the transitions of alerts that it brings about.
    #[pyo3(signature = (event, now_ms=None, held=false))]
    fn push(&self, py: Python<'_>, event: &str, now_ms: Option<i64>, held: bool) -> PyResult<Vec<String>> {
        let Event { call_id, number, body } = native::parse(event).map_err(wrong)?;
        if call_id != self.call_id {
            return Err(wrong(format!("the event is of call {call_id}, this is {}", self.call_id)));
        }
        let EventBody::Input(input) = body else { return Ok(Vec::new()) };
        Ok(py.detach(|| {
            let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            if session.look(&number, &input) == Seen::New {
                let said = session.hear(&number, &input);
                session.handle(now_ms.map_or(said, |now| said.max(CallTime(now))), input);
            }
            drained(&mut session, held)
        }))
    }

    /// What is due by `now_ms`, in milliseconds since the call was answered.
    #[pyo3(signature = (now_ms, held=false))]
    fn tick(&self, py: Python<'_>, now_ms: i64, held: bool) -> Vec<String> {
        py.detach(|| {
            let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            session.handle_timeout(CallTime(now_ms));
            drained(&mut session, held)
        })
    }

    /// When the call next wants to be told the time.
    fn next_tick_ms(&self) -> Option<i64> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).poll_timeout().map(|at| at.0)
    }

    /// Decides all that is still open: nothing more will come.
    #[pyo3(signature = (held=false))]
    fn finish(&self, py: Python<'_>, held: bool) -> Vec<String> {
        py.detach(|| {
            let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            session.finish();
            drained(&mut session, held)
        })
    }
}

/// The model learned from the corpus and from labelled turns, one JSON object each: as text, with the figures and whether
/// it judges the turns worse than the model in use; and what of the turns cannot be used, by number from 1.
#[pyfunction]
#[pyo3(signature = (turns, directory=None, parameters=None))]
#[allow(clippy::type_complexity)]
fn learn(
    py: Python<'_>,
    turns: Vec<String>,
    directory: Option<PathBuf>,
    parameters: Option<PathBuf>,
) -> PyResult<(Option<(String, String, bool)>, Vec<(usize, String)>)> {
    py.detach(|| {
        let (mut rows, mut faults) = (Vec::new(), Vec::new());
        for (number, turn) in (1..).zip(&turns) {
            match Row::from_json(turn) {
                Ok(row) => rows.push(row),
                Err(fault) => faults.push((number, fault)),
            }
        }
        if !faults.is_empty() {
            return Ok((None, faults));
        }
        let sources = rule_files::read(directory.as_deref(), parameters.as_deref(), Thresholds::default()).map_err(wrong)?;
        let lesson = learning::learn(&sources, rows, all_cores(), &Control::default());
        let lesson = lesson.map_err(|faults| wrong(faults.join("\n")))?;
        Ok((lesson.map(|lesson| (lesson.model.to_text(), lesson.text.clone(), lesson.is_worse())), faults))
    })
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Rules>()?;
    module.add_class::<Live>()?;
    module.add_function(wrap_pyfunction!(learn, module)?)
}
