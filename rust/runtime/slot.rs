//! Small numbers that no two things alive share, so that what is kept of one is found without a hash.

use std::sync::{Mutex, PoisonError};

/// The numbers that were given back, and the first that was never given.
static FREE: Mutex<(Vec<usize>, usize)> = Mutex::new((Vec::new(), 0));

/// One of them; it is given again when this one is dropped.
#[derive(Debug)]
pub struct Slot(usize);

impl Slot {
    /// The number, which is less than the most of them that were ever alive at once.
    #[inline]
    pub fn index(&self) -> usize {
        self.0
    }
}

impl Default for Slot {
    fn default() -> Self {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let (returned, next) = &mut *free;
        Self(returned.pop().unwrap_or_else(|| {
            *next += 1;
            *next - 1
        }))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        free.0.push(self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Slot;

    #[test]
    fn what_is_alive_has_numbers_of_its_own_and_few_are_used() {
        let most = |slots: &[Slot]| slots.iter().map(Slot::index).max();
        let mut slots: Vec<Slot> = (0..100).map(|_| Slot::default()).collect();
        let before = most(&slots);
        for round in 0..1_000 {
            drop(slots.swap_remove(round % slots.len()));
            slots.push(Slot::default());
            let different: HashSet<usize> = slots.iter().map(Slot::index).collect();
            assert_eq!(different.len(), slots.len());
        }
        // Other tests of this process take some too.
        assert!(most(&slots) < before.map(|most| most + 100));
    }
}
