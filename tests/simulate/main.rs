//! The deciders under thousands of seeded random inputs, in virtual time; a failure prints its
//! seed.

#[cfg(test)]
mod adaptive;
#[cfg(test)]
mod balance;
#[cfg(test)]
mod breaker;
#[cfg(test)]
mod hashing;
#[cfg(test)]
mod levels;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod outlier;
#[cfg(test)]
mod routes;
