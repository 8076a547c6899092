//! Which copies are made of a route's requests.

use super::ClusterSlot;
use super::Noted;
use crate::wire::Problems;
use crate::wire::route::{self, Percentage};

/// Where copies go, and of how many requests.
#[derive(Debug)]
pub struct Mirror {
    /// Who gets them.
    pub cluster: ClusterSlot,
    millionths: u32,
}

impl Mirror {
    /// Compiles the mirrors of the route at `at`.
    pub(super) fn compile_all(
        route: &route::Route,
        at: &str,
        resolve: &mut dyn FnMut(&str) -> Option<ClusterSlot>,
        problems: &mut Problems,
    ) -> Result<Box<[Self]>, Noted> {
        let mut mirrors = Vec::with_capacity(route.mirrors.len());
        for (index, wire) in route.mirrors.iter().enumerate() {
            let Some(cluster) = resolve(&wire.cluster) else {
                problems.add(
                    "cluster_unknown",
                    format!("{at}.mirrors[{index}].cluster"),
                    format!("there is no cluster `{}`", wire.cluster),
                    "define it under `clusters`, or correct the name",
                );
                continue;
            };
            let millionths = wire.percentage.millionths();
            mirrors.push(Self {
                cluster,
                millionths,
            });
        }
        if mirrors.len() < route.mirrors.len() {
            return Err(Noted);
        }
        Ok(mirrors.into())
    }

    /// Whether a request is copied, for `random`, a number from all of `u64`.
    pub fn takes(&self, random: u64) -> bool {
        let point = (u128::from(random) * u128::from(Percentage::WHOLE)) >> 64;
        point < u128::from(self.millionths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::Random;

    #[test]
    fn a_share_is_copied() {
        for (millionths, least, most) in [
            (0, 0, 0),
            (1_000_000, 10_000, 10_000),
            (100_000, 900, 1_100),
        ] {
            let cluster = ClusterSlot(0);
            let mirror = Mirror {
                cluster,
                millionths,
            };
            let mut random = Random::seeded(7);
            let taken = (0..10_000).filter(|_| mirror.takes(random.next_u64()));
            let taken = taken.count();
            assert!((least..=most).contains(&taken), "{taken} of 10,000");
        }
    }
}
