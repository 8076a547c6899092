//! Maglev (Eisenbud and others 2016): a table of slots, filled in turns, each endpoint by an order of
//! its own. Shares are nearly exact; an endpoint that leaves moves a few keys of others too.

use super::hashing::Named;
use super::hashing::mix;
use super::hashing::stable_hash;

/// A slot that nobody has taken yet.
const FREE: u32 = u32::MAX;

/// Where an endpoint stands in its order: all slots, each once, since the size is prime.
struct Order {
    owner: u32,
    next: usize,
    step: usize,
    weight: u64,
    /// What it has saved of its weight towards the next slot.
    saved: u64,
}

/// Who owns each of `size` slots; none where there are no endpoints.
pub(super) fn slots(endpoints: &[Named<'_>], size: u32) -> Box<[u32]> {
    let size = size as usize;
    let mut orders = orders(endpoints, size);
    let Some(heaviest) = orders.iter().map(|order| order.weight).max() else {
        return Box::default();
    };
    let mut slots = vec![FREE; size].into_boxed_slice();
    let mut left = size;
    loop {
        // The heaviest takes a slot each round, others as often as their weight allows.
        for order in &mut orders {
            if left == 0 {
                return slots;
            }
            order.saved += order.weight;
            if order.saved >= heaviest {
                order.saved -= heaviest;
                order.take(&mut slots);
                left -= 1;
            }
        }
    }
}

/// Where `hash` begins.
pub(super) fn first(hash: u64, size: usize) -> usize {
    // By the high bits, as a multiplication: cheaper than a remainder.
    let scaled = (u128::from(hash) * size as u128) >> 64;
    usize::try_from(scaled).unwrap_or_default()
}

/// By name, so that it doesn't matter in which order endpoints came.
fn orders(endpoints: &[Named<'_>], size: usize) -> Vec<Order> {
    let mut named: Vec<(u32, &Named<'_>)> = (0..).zip(endpoints).collect();
    named.sort_by_key(|(_, endpoint)| endpoint.name);
    let order = |(owner, endpoint): (u32, &Named<'_>)| {
        let hash = stable_hash(endpoint.name.as_bytes());
        Order {
            owner,
            next: first(hash, size),
            step: 1 + first(mix(hash), size.saturating_sub(1)),
            weight: endpoint.weight.max(1).into(),
            saved: 0,
        }
    };
    named.into_iter().map(order).collect()
}

impl Order {
    /// Takes the first slot in its order that is free; one must be.
    fn take(&mut self, slots: &mut [u32]) {
        for _ in 0..slots.len() {
            let at = self.next;
            self.next = (at + self.step) % slots.len();
            if let Some(slot) = slots.get_mut(at).filter(|slot| **slot == FREE) {
                *slot = self.owner;
                return;
            }
        }
    }
}

/// Whether every order of steps reaches every slot.
pub fn is_prime(number: u32) -> bool {
    let number = u64::from(number);
    let mut divisors = (2..).take_while(|it| it * it <= number);
    number > 1 && divisors.all(|it: u64| !number.is_multiple_of(it))
}
