//! What a record says of the adoption of things that an earlier system made.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::names::AssociationId;

/// A namespace, and what is in it and in AWS for it, that an earlier system made and that is on its way to the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordedAdoption {
    /// How far it is.
    pub stage: AdoptionStage,

    /// Associations of the namespace by which the former workload gets its credentials. They stay until the adoption is
    /// finished.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "set"))]
    pub former_associations: Vec<AssociationId>,

    /// Labels of the namespace that the operator replaces at cut-over, as they were before: a cut-over that is taken back
    /// puts them back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub namespace_labels: BTreeMap<String, String>,
}

/// How far an adoption is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AdoptionStage {
    /// Recorded and marked. The former workload runs, and nothing that it lives by was changed.
    Attached,
    /// The former workload no longer uses the volume, and the operator's own does, or is about to.
    CutOver,
}

impl AdoptionStage {
    /// As it stands in the record and in its mirror.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Attached => "Attached",
            Self::CutOver => "CutOver",
        }
    }

    /// From its mirror.
    pub fn from_mirror(text: &str) -> Option<Self> {
        [Self::Attached, Self::CutOver].into_iter().find(|stage| stage.as_str() == text)
    }
}
