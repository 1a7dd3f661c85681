//! The scoring forms in use, read anew when their files change, and what reviewers and agents do with those that are filled.

use std::path::Path;
use std::sync::{Arc, RwLock};

use crate::engine::diagnostic::{Diagnostic, Language, Level};
use crate::engine::rule::parse;
use crate::engine::rule::render::render;
use crate::rule_files;
use crate::server::domain::form::VersionedForm;
use crate::server::rules::RejectedRules;
use crate::server::runtime::{Shared, reload};

/// Forms of one server. Reviewers choose among them in a list.
const FORMS_MAX: usize = 32;

/// The forms of a server.
#[derive(Debug, Default)]
pub(crate) struct Forms {
    current: RwLock<Arc<Vec<VersionedForm>>>,
    /// What is wrong with the files since they changed; empty while they are in use.
    faults: RwLock<Vec<Diagnostic>>,
}

impl Forms {
    pub(crate) fn new(forms: Vec<VersionedForm>) -> Self {
        Self { current: RwLock::new(Arc::new(forms)), faults: RwLock::default() }
    }

    pub(crate) fn current(&self) -> Arc<Vec<VersionedForm>> {
        self.current.read().map(|forms| Arc::clone(&forms)).unwrap_or_default()
    }

    pub(crate) fn faults(&self) -> Vec<Diagnostic> {
        self.faults.read().map(|faults| faults.clone()).unwrap_or_default()
    }
}

/// Reads the forms of a directory; without one, the form that ships.
pub(crate) fn read(directory: Option<&Path>) -> Result<Vec<VersionedForm>, RejectedRules> {
    let files = rule_files::forms(directory)
        .map_err(|error| RejectedRules { text: error.to_string(), diagnostics: error.diagnostics() })?;
    let mut read = parse::forms(&files);
    if read.forms.len() > FORMS_MAX
        && let Some(first) = files.first()
    {
        let at = crate::engine::diagnostic::Position { file: Arc::from(first.name.as_str()), ..Default::default() };
        let (zh, en) = (format!("评分表最多 {FORMS_MAX} 份"), format!("at most {FORMS_MAX} forms are possible"));
        read.diagnostics.push(Diagnostic::error("too-many-forms", at, zh, en));
    }
    if read.diagnostics.iter().any(|fault| fault.level == Level::Error) {
        let text = render(&read.diagnostics, &files, Language::Zh, false).trim_end().to_owned();
        return Err(RejectedRules { text, diagnostics: read.diagnostics });
    }
    Ok(read.forms.into_iter().map(VersionedForm::new).collect())
}

/// Reads the files whenever they have changed: all of them or none. Ends with the server.
pub(crate) fn watch(shared: &Arc<Shared>) -> impl Future<Output = ()> + Send + use<> {
    let shared = Arc::clone(shared);
    let sources: Vec<_> = shared.config.forms.directory.iter().cloned().collect();
    reload::on_change(sources, async move || refresh(&shared).await)
}

async fn refresh(shared: &Shared) {
    let directory = shared.config.forms.directory.clone();
    let faults = match tokio::task::spawn_blocking(move || read(directory.as_deref())).await {
        Ok(Ok(forms)) => {
            tracing::info!(forms = forms.len(), "the scoring forms were read anew");
            if let Ok(mut current) = shared.forms.current.write() {
                *current = Arc::new(forms);
            }
            Vec::new()
        }
        Ok(Err(rejected)) => {
            let faults = rejected.diagnostics.len();
            tracing::warn!(faults, "scoring forms cannot be used; those of before stay\n{}", rejected.text);
            rejected.diagnostics
        }
        Err(_) => return,
    };
    if let Ok(mut told) = shared.forms.faults.write() {
        *told = faults;
    }
}
