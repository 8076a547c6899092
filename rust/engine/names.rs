//! Host names of endpoints: resolved before they are first used, and again when their time ends.

use std::collections::{HashMap, HashSet};
use std::future::pending;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use tokio::task::JoinSet;

use crate::runtime::clock;
use crate::snapshot::{Compiler, Names};

/// How long a change waits for names that are new; they go on being resolved afterwards.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// When to ask again after a failure.
const RETRY_WAIT: Duration = Duration::from_secs(5);

/// Names asked for at once; a zone of ten thousand must not flood its server.
const PARALLEL: usize = 64;

/// Resolves and remembers.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    known: Names,
    due: HashMap<String, Due>,
    client: Option<TokioResolver>,
}

/// When a name is asked for again.
#[derive(Debug, Clone, Copy)]
struct Due {
    at: Instant,
    min_ttl: Duration,
    max_ttl: Duration,
}

type Answer = Result<(Vec<IpAddr>, Instant), String>;

impl Resolver {
    /// What names resolved to last.
    pub(super) fn known(&self) -> &Names {
        &self.known
    }

    /// Resolves those of `wanted` that are new; gives a line for each that can't be.
    pub(super) async fn learn(&mut self, wanted: HashSet<String>) -> Vec<String> {
        self.known.retain(|name, _| wanted.contains(name));
        self.due.retain(|name, _| wanted.contains(name));
        let new: Vec<String> = wanted
            .into_iter()
            .filter(|name| !self.known.contains_key(name))
            .collect();
        let mut notices = Vec::new();
        for (name, answer) in self.ask(new).await {
            if let Err(why) = &answer {
                notices.push(format!(
                    "host name {name:?} can't be resolved: {why}; its endpoints get no requests \
                     until it can. Check the name, or write an IP address"
                ));
            }
            self.note(name, answer);
        }
        notices
    }

    /// Takes over the bounds of the clusters in force.
    pub(super) fn follow(&mut self, compiler: &Compiler) {
        for (cluster, name) in compiler.users_of_names() {
            if let Some(due) = self.due.get_mut(&name) {
                due.min_ttl = Duration::from_millis(cluster.dns.min_ttl_ms);
                due.max_ttl = Duration::from_millis(cluster.dns.max_ttl_ms);
                due.at = due
                    .at
                    .clamp(clock::now() + due.min_ttl, clock::now() + due.max_ttl);
            }
        }
    }

    /// Waits until names are due, asks, and gives those whose addresses changed.
    pub(super) async fn changed(&mut self) -> HashSet<String> {
        loop {
            let Some(next) = self.due.values().map(|due| due.at).min() else {
                return pending().await;
            };
            tokio::time::sleep_until(next.into()).await;
            let now = clock::now();
            let due = self.due.iter().filter(|(_, due)| due.at <= now);
            let names: Vec<String> = due.map(|(name, _)| name.clone()).collect();
            let mut changed = HashSet::new();
            let answers = self.ask(names).await.into_iter();
            changed.extend(answers.filter_map(|(name, answer)| {
                let moved = self.note(name.clone(), answer);
                moved.then_some(name)
            }));
            if !changed.is_empty() {
                return changed;
            }
        }
    }

    /// Remembers an answer; whether it changed anything. A failure keeps the last good addresses.
    fn note(&mut self, name: String, answer: Answer) -> bool {
        let now = clock::now();
        let due = self.due.entry(name.clone()).or_insert(Due {
            at: now,
            min_ttl: Duration::from_secs(1),
            max_ttl: Duration::from_mins(1),
        });
        let Ok((mut addresses, until)) = answer else {
            due.at = now + RETRY_WAIT.min(due.max_ttl);
            return false;
        };
        addresses.sort_unstable();
        due.at = until.clamp(now + due.min_ttl, now + due.max_ttl);
        let changed = self.known.get(&name) != Some(&addresses);
        self.known.insert(name, addresses);
        changed
    }

    async fn ask(&mut self, names: Vec<String>) -> Vec<(String, Answer)> {
        if names.is_empty() {
            return Vec::new();
        }
        let client = match self.client() {
            Ok(client) => client,
            Err(why) => {
                return names
                    .into_iter()
                    .map(|name| (name, Err(why.clone())))
                    .collect();
            }
        };
        let deadline = clock::now() + FIRST_WAIT;
        let mut answers = Vec::with_capacity(names.len());
        let mut running = JoinSet::new();
        for name in names {
            while running.len() >= PARALLEL {
                answers.extend(running.join_next().await.into_iter().flatten());
            }
            running.spawn(look_up(client.clone(), name, deadline));
        }
        answers.extend(running.join_all().await);
        answers
    }

    fn client(&mut self) -> Result<TokioResolver, String> {
        if self.client.is_none() {
            let builder = TokioResolver::builder_tokio().map_err(|error| error.to_string())?;
            self.client = Some(builder.build().map_err(|error| error.to_string())?);
        }
        self.client.clone().ok_or_else(|| "no resolver".to_owned())
    }
}

async fn look_up(client: TokioResolver, name: String, deadline: Instant) -> (String, Answer) {
    let asked = tokio::time::timeout_at(deadline.into(), client.lookup_ip(name.as_str())).await;
    let answer = match asked {
        Ok(Ok(found)) => Ok((found.iter().collect(), found.valid_until())),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer in time".to_owned()),
    };
    (name, answer)
}
