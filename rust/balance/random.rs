//! Random numbers for picks: fast and seeded, not for secrets.

/// A wyrand generator: a Weyl sequence whose steps are folded through a 128-bit product.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The generator that `seed` determines.
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from all of `u64`.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0xa076_1d64_78bd_642f);
        let product = u128::from(self.0) * u128::from(self.0 ^ 0xe703_7ed1_a0b4_28db);
        let (high, low) = halves(product);
        high ^ low
    }

    /// A number below `bound`; 0 for a bound of 0. The bias is below `bound` / 2^64.
    pub fn below(&mut self, bound: u64) -> u64 {
        halves(u128::from(self.next_u64()) * u128::from(bound)).0
    }

    /// An index into something of `length` elements.
    pub(super) fn index(&mut self, length: usize) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the result is below `length`, which is an usize"
        )]
        let index = self.below(length as u64) as usize;
        index
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "taking the halves apart is the purpose"
)]
const fn halves(product: u128) -> (u64, u64) {
    ((product >> 64) as u64, product as u64)
}
