//! The engine's own life: changes, drains, balance, and what it takes of the machine.

mod balance;
mod change;
mod drain;
mod footprint;
mod refused;
