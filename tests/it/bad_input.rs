//! Bad input gets a clear answer and loses nothing.

mod classes;
mod foreign_aws;
mod limits;
mod names;
mod namespaces;
mod owner;
mod status;
mod storage;
