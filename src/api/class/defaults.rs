//! Defaults of a class, as functions that serde and the schema call.

use super::{CpuMemory, NamespacePrefix, Quantity};
use crate::api::names::{NamespaceName, SecretItemName};

pub(super) fn namespace_prefix() -> NamespacePrefix {
    "openclaw-".parse().unwrap_or_else(|_| unreachable!("a unit test parses it"))
}

pub(super) fn gateway_token() -> Vec<super::GeneratedSecret> {
    let name: SecretItemName = "gateway-token".parse().unwrap_or_else(|_| unreachable!("a unit test parses it"));
    vec![super::GeneratedSecret { name, rotate_every_days: None }]
}

pub(super) const fn cpu_memory(cpu_milli: u32, memory_mebibytes: u32) -> CpuMemory {
    CpuMemory { cpu: Some(Quantity::milli(cpu_milli)), memory: Some(Quantity::mebibytes(memory_mebibytes)) }
}

pub(super) fn budget() -> u32 {
    100
}

pub(super) fn true_() -> bool {
    true
}

pub(super) fn scheme() -> String {
    "https".into()
}

pub(super) fn retention_days() -> u16 {
    30
}

pub(super) fn settling_seconds() -> u32 {
    super::SETTLING_SECONDS
}

pub(super) fn recovery_window_days() -> u8 {
    30
}

pub(super) fn idle_seconds() -> u32 {
    1800
}

pub(super) fn wake_seconds() -> u16 {
    120
}

// As the add-on's own manifests name it (config/ of kedacore/http-add-on).
pub(super) fn interceptor_namespace() -> NamespaceName {
    "keda".parse().unwrap_or_else(|_| unreachable!("a unit test parses it"))
}

pub(super) fn interceptor_service() -> String {
    "keda-add-ons-http-interceptor-proxy".into()
}

pub(super) fn interceptor_port() -> u16 {
    8080
}

pub(super) fn scaler_address() -> String {
    "keda-add-ons-http-external-scaler.keda:9090".into()
}

pub(super) fn health_check_interval_seconds() -> u16 {
    15
}

pub(super) fn deregistration_delay_seconds() -> u16 {
    300
}

pub(super) fn gateway_capacity() -> u32 {
    90
}

pub(super) fn rollout_in_flight() -> u16 {
    10
}

pub(super) fn rollout_failures() -> u16 {
    3
}

pub(super) fn rollout_deadline_seconds() -> u32 {
    300
}

pub(super) fn grace_seconds() -> u16 {
    330
}

pub(super) fn storage_size() -> Quantity {
    Quantity::gibibytes(10)
}

pub(super) fn storage_maximum() -> Quantity {
    Quantity::gibibytes(100)
}

pub(super) fn claims() -> u32 {
    1
}

pub(super) fn workload_requests() -> CpuMemory {
    cpu_memory(250, 1024)
}

pub(super) fn workload_limits() -> CpuMemory {
    cpu_memory(2000, 2048)
}
