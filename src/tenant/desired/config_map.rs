//! Configuration and scripts of the workspace.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    object,
    route::{base_path, origin},
    workload::{
        config::{Bedrock, ConfigInput, GatewayToken},
        files,
        resolver::PinnedSecret,
    },
};
use crate::{
    api::{
        class::SecretsMode,
        labels::GATEWAY_TOKEN,
        record::{RecordedSecret, SecretOrigin},
    },
    tenant::{blueprint::Blueprint, child::Child},
};

/// The files of the ConfigMap.
pub(super) fn data(blueprint: &Blueprint<'_>) -> BTreeMap<String, String> {
    with_input(blueprint, files::data)
}

pub(super) fn config_map(blueprint: &Blueprint<'_>, data: &BTreeMap<String, String>) -> Value {
    let data = data.iter().map(|(name, text)| (name.clone(), Value::String(text.clone())));
    object(Child::ConfigMap, blueprint.tenant, blueprint.record, [("data", Value::Object(data.collect()))])
}

/// Hash of everything that a running pod took up at its start and cannot take up again: configuration, scripts, and the
/// role of its session.
pub(super) fn hash(blueprint: &Blueprint<'_>, data: &BTreeMap<String, String>) -> String {
    let mut all: BTreeMap<&str, &str> = data.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    if let Some(role) = &blueprint.record.identity.role_arn {
        all.insert("role", role.as_str());
    }
    files::hash(&all)
}

/// What the init container runs.
pub(super) fn install_script(blueprint: &Blueprint<'_>) -> String {
    with_input(blueprint, |input| files::install_script(&input.token))
}

fn with_input<R>(blueprint: &Blueprint<'_>, make: impl FnOnce(&ConfigInput<'_>) -> R) -> R {
    let Blueprint { tenant, class, record, settings, .. } = blueprint;
    let origins: Vec<String> = origin(tenant, class, record).into_iter().collect();
    let base_path = base_path(tenant, record.routing.mode);
    let region = settings.region.as_deref().filter(|_| blueprint.has_identity());
    let pinned: Vec<PinnedSecret<'_>> =
        record.secrets.items.iter().filter_map(|item| pinned(blueprint, item)).collect();
    let token = pinned.iter().find(|secret| secret.item.as_str() == GATEWAY_TOKEN).copied();
    let others: Vec<PinnedSecret<'_>> =
        pinned.into_iter().filter(|secret| secret.item.as_str() != GATEWAY_TOKEN).collect();
    make(&ConfigInput {
        origins: &origins,
        base_path: base_path.as_deref(),
        model: class.workload.model.as_deref(),
        bedrock: region.map(|region| Bedrock { region, discovery: class.identity.model_discovery }),
        token: match record.secrets.mode {
            SecretsMode::SecretsManager => token.map_or(GatewayToken::File, GatewayToken::Secret),
            SecretsMode::None => GatewayToken::File,
        },
        secrets: &others,
        skills: blueprint.skills,
        emulator: settings.emulator_endpoint.is_some(),
    })
}

/// A secret with a value that the tenant still asks for.
fn pinned<'a>(blueprint: &Blueprint<'a>, item: &'a RecordedSecret) -> Option<PinnedSecret<'a>> {
    let is_wanted = blueprint.secrets.iter().any(|wanted| wanted.name == item.name);
    let is_pinned = is_wanted || item.origin == SecretOrigin::Generated;
    let (arn, version) = item.arn.as_ref().zip(item.version_id.as_ref()).filter(|_| is_pinned)?;
    Some(PinnedSecret { item: &item.name, arn, version })
}
