//! The border to Python: translation only. Python calls in; no thread of the engine calls out.
//!
//! What crosses is bytes, str, int, None, tuples and lists of them, and questions. `_engine.pyi` says the same
//! for readers, and stubtest holds the two against each other.

mod filters;
mod hooks;

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::engine::events::Event;
use crate::engine::{self, Credential, Options};

/// (name, certificate PEM, key PEM or None for trust anchors).
type CredentialTuple = (String, Vec<u8>, Option<Vec<u8>>);

/// What the extension was built with.
const FEATURES: &str = "http1 tcp tls proxy_protocol";

/// All that Python sees.
#[pymodule(gil_used = false)]
mod _engine {
    use pyo3::prelude::*;

    use super::FEATURES;
    #[pymodule_export]
    use super::filters::{adopt_filter, load_library};
    #[pymodule_export]
    use super::hooks::Question;
    #[pymodule_export]
    use super::{Engine, check, explain};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("version", env!("CARGO_PKG_VERSION"))?;
        module.add("features", FEATURES)
    }
}

/// A running engine; see `_engine.pyi`.
#[pyclass(frozen, module = "meshcore._engine")]
#[derive(Debug)]
struct Engine {
    inner: engine::Engine,
}

/// Runs `work` without holding the interpreter.
fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    py.detach(work)
}

/// An operating system's error as Python's `OSError` of the same number, with our words.
fn os_error(error: &std::io::Error) -> PyErr {
    match error.raw_os_error() {
        Some(number) => PyOSError::new_err((number, error.to_string())),
        None => PyOSError::new_err(error.to_string()),
    }
}

fn credentials(tuples: Vec<CredentialTuple>) -> Vec<Credential> {
    tuples
        .into_iter()
        .map(|(name, certificate, key)| Credential {
            name,
            certificate,
            key,
        })
        .collect()
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (*, workers = 0, admin = "", pin = false, sockets = Vec::new()))]
    fn new(
        py: Python<'_>,
        workers: usize,
        admin: &str,
        pin: bool,
        sockets: Vec<(String, i32)>,
    ) -> PyResult<Self> {
        let sockets = sockets
            .into_iter()
            .map(duplicate)
            .collect::<PyResult<Vec<_>>>()?;
        let admin = (!admin.is_empty()).then(|| admin.to_owned());
        let options = Options {
            workers,
            admin,
            pin,
            sockets,
        };
        let inner = detached(py, || engine::Engine::start(options));
        Ok(Self {
            inner: inner.map_err(|error| os_error(&error))?,
        })
    }

    fn event_fd(&self) -> i32 {
        self.inner.event_fd().as_raw_fd()
    }

    fn drain_events<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let events = detached(py, || self.inner.drain_events(limit));
        events.iter().map(|event| event_tuple(py, event)).collect()
    }

    #[expect(
        clippy::unused_self,
        reason = "a method, so that a later kind of call can be aborted"
    )]
    fn cancel(&self, ident: u64) {
        // Changes and drains are never left half-way: who waited stops waiting, by id.
        let _ = ident;
    }

    fn apply(&self, py: Python<'_>, delta: Vec<u8>, credentials: Vec<CredentialTuple>) -> u64 {
        let credentials = self::credentials(credentials);
        detached(py, || self.inner.apply(delta, credentials))
    }

    fn drain(&self, py: Python<'_>, timeout_ms: u64, idle_grace_ms: u64) -> u64 {
        let (timeout, grace) = (
            Duration::from_millis(timeout_ms),
            Duration::from_millis(idle_grace_ms),
        );
        detached(py, || self.inner.drain(timeout, grace))
    }

    fn stop(&self, py: Python<'_>) {
        detached(py, || self.inner.stop());
    }

    fn stats<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let json = detached(py, || self.inner.stats().to_string());
        PyBytes::new(py, json.as_bytes())
    }

    fn generation(&self) -> u64 {
        self.inner.generation()
    }

    fn listeners(&self, py: Python<'_>) -> Vec<(String, String, String, i32)> {
        detached(py, || self.inner.listeners())
    }

    fn admin_socket(&self) -> Option<(String, String, i32)> {
        self.inner.admin_socket()
    }

    fn hand_over_admin(&self) {
        self.inner.hand_over_admin();
    }

    fn set_log_level(&self, level: &str) -> PyResult<()> {
        self.inner
            .set_log_level(level)
            .map_err(PyValueError::new_err)
    }

    fn reopen_logs(&self, py: Python<'_>) {
        detached(py, || self.inner.reopen_logs());
    }

    fn hook_fd(&self) -> i32 {
        self.inner.hook_fd().map_or(-1, |fd| fd.as_raw_fd())
    }

    /// Short, as the next: the lock that they take is never held for long, nor by a thread that
    /// waits for us.
    fn take_questions(&self, limit: usize) -> Vec<hooks::Question> {
        let taken = self.inner.take_questions(limit);
        taken.into_iter().map(hooks::Question).collect()
    }

    #[pyo3(signature = (ident, kind, detail = None))]
    fn answer_question(
        &self,
        ident: u64,
        kind: &str,
        detail: Option<hooks::Detail>,
    ) -> PyResult<()> {
        let answer = hooks::answer(kind, detail);
        let answered = self.inner.answer_question(ident, answer);
        answered.map_err(PyValueError::new_err)
    }

    fn hook_reloaded(&self, name: &str, ok: bool) {
        self.inner.hook_reloaded(name, ok);
    }
}

/// A copy of a descriptor that stays Python's.
#[expect(
    unsafe_code,
    reason = "a number from Python has to be believed to be a descriptor once"
)]
fn duplicate((address, fd): (String, i32)) -> PyResult<(String, OwnedFd)> {
    if fd < 0 {
        return Err(PyValueError::new_err(format!("{fd} is no file descriptor")));
    }
    // SAFETY: not negative, borrowed for this one call; a number that is not open makes `dup` fail.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    let owned = borrowed
        .try_clone_to_owned()
        .map_err(|error| os_error(&error))?;
    Ok((address, owned))
}

/// `(id, kind, payload)`.
fn event_tuple<'py>(py: Python<'py>, event: &Event) -> PyResult<Bound<'py, PyAny>> {
    let bytes = |text: &str| PyBytes::new(py, text.as_bytes());
    let tuple = match event {
        Event::Applied(id, generation) => (*id, "applied", *generation).into_pyobject(py)?,
        Event::Refused(id, problems) => {
            let json = serde_json::to_string(problems).unwrap_or_default();
            (*id, "refused", bytes(&json)).into_pyobject(py)?
        }
        Event::Drained(id) => (*id, "drained", py.None()).into_pyobject(py)?,
        Event::Failed(id, why) => (*id, "failed", bytes(why)).into_pyobject(py)?,
        Event::Quit => (0, "quit", py.None()).into_pyobject(py)?,
        Event::Drain => (0, "drain", py.None()).into_pyobject(py)?,
        Event::Resync => (0, "resync", py.None()).into_pyobject(py)?,
        Event::Notice(level, text) => {
            (0, "notice", bytes(&format!("{level}: {text}"))).into_pyobject(py)?
        }
    };
    Ok(tuple.into_any())
}

/// Compiles a complete configuration without putting it in force; gives problems as JSON.
#[pyfunction]
fn check<'py>(
    py: Python<'py>,
    delta: &[u8],
    credentials: Vec<CredentialTuple>,
) -> Bound<'py, PyBytes> {
    let credentials = self::credentials(credentials);
    let problems = detached(py, || engine::check(delta, credentials));
    PyBytes::new(
        py,
        serde_json::to_string(&problems)
            .unwrap_or_default()
            .as_bytes(),
    )
}

/// Asks a complete configuration, which isn't put in force, what becomes of requests.
#[pyfunction]
fn explain<'py>(
    py: Python<'py>,
    delta: &[u8],
    credentials: Vec<CredentialTuple>,
    questions: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let credentials = self::credentials(credentials);
    let asked: Vec<engine::explain::Question> = serde_json::from_slice(questions)
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    let answers = detached(py, || engine::explain::explain(delta, credentials, &asked));
    let json = match answers {
        Ok(answers) => serde_json::json!({"answers": answers}),
        Err(problems) => serde_json::json!({"problems": problems}),
    };
    Ok(PyBytes::new(py, json.to_string().as_bytes()))
}
