//! One change: parsed, resolved, compiled, bound; then in force everywhere, or refused whole.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::options::Credential;
use super::service::Service;
use super::sockets::Bound;
use crate::snapshot::{Compiler, Names, Staged, Surroundings};
use crate::telemetry::{LogSinks, Registry};
use crate::tls::credentials::Credentials;
use crate::wire::{Delta, Kind, Problem, Problems};

/// Puts a change in force and gives its generation.
pub(super) async fn apply(
    service: &mut Service,
    delta: &[u8],
    credentials: Vec<Credential>,
) -> Result<u64, Vec<Problem>> {
    let delta = parse(delta)?;
    let result = stage_and_install(service, delta, credentials).await;
    // Whatever came of it, only what is in use stays: keys above all.
    let used = service.compiler.credential_names();
    service.credentials.retain(|name| used.contains(name));
    service.seen.logs.close_unused();
    result
}

async fn stage_and_install(
    service: &mut Service,
    delta: Delta,
    credentials: Vec<Credential>,
) -> Result<u64, Vec<Problem>> {
    let mut problems = insert(&mut service.credentials, credentials);
    let wanted = service.compiler.host_names(&delta);
    for notice in service.names.learn(wanted).await {
        service.seen.tell("warning", notice);
    }
    let around = Surroundings {
        credentials: &service.credentials,
        logs: &service.seen.logs,
        names: service.names.known(),
    };
    let staged = match service.compiler.stage(delta, &around) {
        Ok(staged) if problems.is_empty() => staged,
        Ok(_) => return Err(problems),
        Err(more) => {
            problems.extend(more);
            return Err(problems);
        }
    };
    let bound = &service.sockets.bound;
    let removed = |name: &&String| staged.removes(Kind::Listener, name);
    let going: HashSet<String> = bound.keys().filter(removed).cloned().collect();
    let count = service.workers.len();
    let prepared = service.sockets.prepare(staged.listeners(), &going, count)?;
    let handed = hand_out(&prepared, count)?;
    let snapshot = service.compiler.commit(staged);
    for name in &going {
        service.sockets.bound.remove(name);
    }
    service.sockets.bound.extend(prepared);
    service.sockets.forget_inherited();
    service.install(&snapshot, handed).await;
    service.seen.set_sockets(&service.sockets.bound);
    service.names.follow(&service.compiler);
    service.forget_unused();
    Ok(snapshot.generation)
}

fn parse(delta: &[u8]) -> Result<Delta, Vec<Problem>> {
    serde_json::from_slice(delta).map_err(|error| {
        vec![Problem {
            code: "wire_invalid",
            kind: "Delta",
            name: String::new(),
            path: String::new(),
            message: error.to_string(),
            hint: "the resource form is rust/wire; documents are compiled to it by meshcore".into(),
        }]
    })
}

fn insert(store: &mut Credentials, credentials: Vec<Credential>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for credential in credentials {
        let Credential {
            name,
            certificate,
            key,
        } = credential;
        if let Err(error) = store.insert(&name, &certificate, key.as_deref()) {
            problems.push(Problem {
                code: "credential_invalid",
                kind: "Credential",
                name,
                path: String::new(),
                message: error.to_string(),
                hint: error.hint().to_owned(),
            });
        }
    }
    problems
}

/// Each worker's copy of each new socket. More sockets than workers come from a predecessor that
/// had more; the rest go round, so that no queue is left without a taker: where descriptors lack,
/// the change is refused.
fn hand_out(
    prepared: &HashMap<String, Bound>,
    workers: usize,
) -> Result<Vec<Vec<(String, OwnedFd)>>, Vec<Problem>> {
    let mut handed: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
    for (name, bound) in prepared {
        for (index, socket) in bound.sockets.iter().enumerate() {
            let copy = socket
                .try_clone()
                .map_err(|error| no_descriptor(name, &error))?;
            if let Some(place) = handed.get_mut(index % workers.max(1)) {
                place.push((name.clone(), copy));
            }
        }
    }
    Ok(handed)
}

fn no_descriptor(listener: &str, error: &std::io::Error) -> Vec<Problem> {
    let mut problems = Problems::new(Kind::Listener, listener);
    let hint = "raise the limit of open files (ulimit -n)";
    problems.add("address_unusable", "address", error.to_string(), hint);
    problems.into_vec()
}

/// Compiles a complete configuration without putting it in force: what an `apply` would refuse.
pub fn check(delta: &[u8], credentials: Vec<Credential>) -> Vec<Problem> {
    stage_alone(delta, credentials).err().unwrap_or_default()
}

/// A complete configuration, compiled and not in force.
pub(super) fn stage_alone(
    delta: &[u8],
    credentials: Vec<Credential>,
) -> Result<Staged, Vec<Problem>> {
    let delta = parse(delta)?;
    let mut store = Credentials::default();
    let mut problems = insert(&mut store, credentials);
    let logs = LogSinks::new(Arc::new(Registry::default()));
    let names = Names::default();
    let around = Surroundings {
        credentials: &store,
        logs: &logs,
        names: &names,
    };
    match Compiler::default().stage(delta, &around) {
        Ok(staged) if problems.is_empty() => Ok(staged),
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more);
            Err(problems)
        }
    }
}
