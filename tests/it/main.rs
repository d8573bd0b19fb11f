//! Integration tests: the operator as a process, against a real API server and emulated AWS.
//!
//! Each test has a tenant of its own and runs beside the others, unless it needs a platform of its own. They start a
//! local platform; with `KUBECONFIG` and `OPENCLAW_TEST_CLUSTER=yes-change-this-cluster` they use that cluster, on which
//! the operator must run already.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests fail as tests do")]

#[path = "../documentation/mod.rs"]
mod documentation;
mod support;

mod adopt;
mod bad_days;
mod bad_input;
mod check;
mod class_role;
mod create;
mod delete;
mod documented;
mod drift;
mod gitops;
mod guards;
mod keeping;
mod leader;
mod lost_answers;
mod matrix;
mod migrate;
mod newcomers;
mod old_definitions;
mod openclaw;
mod operator_rights;
mod optional;
mod owner_access;
mod placement;
mod records;
mod removal;
mod rendering;
mod rest;
mod role_per_tenant;
mod rollout;
mod rotate;
mod rotate_command;
mod stand_in_node;
mod status;
mod suspend;
mod sweep;
mod tenant_objects;
mod update;
mod waiting;
mod whole_platform;
