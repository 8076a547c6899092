//! Verdicts that are remembered, so that the same question isn't asked twice.

use std::sync::Arc;
use std::time::Instant;

use hashbrown::HashMap;

use crate::policy::hook::Decision;

/// Verdicts of one hook by what they depend on.
///
/// Two generations: what is asked for again moves to the young one; when that is half of all, the old
/// one goes. So what is in use stays, the bound holds, and nothing has to be sorted by age.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    young: HashMap<Box<[u8]>, Entry>,
    old: HashMap<Box<[u8]>, Entry>,
}

#[derive(Debug)]
struct Entry {
    decision: Arc<Decision>,
    until: Instant,
}

impl Verdicts {
    /// What was decided, if it still holds.
    pub(super) fn get(&mut self, key: &[u8], now: Instant, most: usize) -> Option<Arc<Decision>> {
        if let Some(entry) = self.young.get(key) {
            return (now < entry.until).then(|| Arc::clone(&entry.decision));
        }
        let (key, entry) = self.old.remove_entry(key)?;
        if now >= entry.until {
            return None;
        }
        let decision = Arc::clone(&entry.decision);
        self.keep(key, entry, most);
        Some(decision)
    }

    /// Remembers a decision; never more than `most`.
    pub(super) fn put(
        &mut self,
        key: Box<[u8]>,
        (decision, until): (Arc<Decision>, Instant),
        most: usize,
    ) {
        self.keep(key, Entry { decision, until }, most);
    }

    /// Each generation is half of all, whether it grows by what is new or by what is used again.
    fn keep(&mut self, key: Box<[u8]>, entry: Entry, most: usize) {
        if self.young.len() >= (most / 2).max(1) {
            self.old = std::mem::take(&mut self.young);
        }
        if most < 2 {
            self.old.clear();
        }
        self.young.insert(key, entry);
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::policy::hook::Verdict;
    use crate::runtime::clock;

    fn decision(status: u16) -> Arc<Decision> {
        Arc::new(Decision {
            edits: Vec::new(),
            verdict: Verdict::Answer {
                status,
                body: bytes::Bytes::new(),
            },
        })
    }

    #[test]
    fn one_may_be_all() {
        let now = clock::now();
        let until = now + Duration::from_secs(1);
        let mut verdicts = Verdicts::default();
        for key in 0..3_u8 {
            verdicts.put(Box::from([key]), (decision(200), until), 1);
            assert!(verdicts.get(&[key], now, 1).is_some());
            assert_eq!(verdicts.young.len() + verdicts.old.len(), 1);
        }
    }

    #[test]
    fn what_is_used_stays_and_the_bound_holds() {
        let now = clock::now();
        let until = now + Duration::from_secs(1);
        let mut verdicts = Verdicts::default();
        for key in 0..100_u8 {
            verdicts.put(Box::from([key]), (decision(u16::from(key)), until), 10);
            assert!(verdicts.young.len() + verdicts.old.len() <= 10);
            assert!(verdicts.get(&[0], now, 10).is_some(), "asked for each time");
        }
        assert_eq!(verdicts.get(&[99], now, 10), Some(decision(99)));
        assert_eq!(verdicts.get(&[50], now, 10), None);
        for key in 0..100_u8 {
            for known in 0..100 {
                verdicts.get(&[known], now, 10);
            }
            verdicts.put(Box::from([key]), (decision(200), until), 10);
            let count = verdicts.young.len() + verdicts.old.len();
            assert!(count <= 10, "what is used again counts too: {count}");
        }
    }

    #[test]
    fn a_verdict_ends_with_its_time() {
        let now = clock::now();
        let mut verdicts = Verdicts::default();
        let until = now + Duration::from_secs(1);
        verdicts.put(Box::from(&b"a"[..]), (decision(200), until), 2);
        verdicts.put(Box::from(&b"b"[..]), (decision(201), until), 2);
        assert!(verdicts.get(b"a", until, 2).is_none());
        assert!(verdicts.get(b"b", until, 2).is_none());
        verdicts.put(Box::from(&b"b"[..]), (decision(202), until), 2);
        verdicts.clear();
        assert!(verdicts.get(b"b", now, 2).is_none());
    }
}
