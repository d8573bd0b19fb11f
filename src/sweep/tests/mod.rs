//! The pure part of the sweeps: what agrees, what differs, and what is believed.

mod auditing;
mod differences;
mod orphans;
mod seeding;
mod world;
