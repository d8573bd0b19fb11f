//! The models that a workspace may invoke on Amazon Bedrock, as ARNs.

use super::Place;
use crate::api::class::Model;

/// What of Bedrock a role may invoke.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelArns {
    /// Foundation models that are invoked themselves.
    pub on_demand: Vec<String>,
    /// Inference profiles.
    pub profiles: Vec<String>,
    /// Foundation models that are reached through those profiles only.
    pub destinations: Vec<String>,
}

impl ModelArns {
    /// The ARNs of these models.
    ///
    /// A profile passes a request on to its model in other regions, or in none ("global."): the caller needs the profile
    /// and every destination ("Prerequisites for inference profiles", Amazon Bedrock User Guide).
    pub fn of(place: &Place, models: &[Model]) -> Self {
        let mut arns = Self::default();
        let Place { partition, region, account, .. } = place;
        for Model { id, inference_profile } in models {
            let Some(profile) = inference_profile else {
                arns.on_demand.push(format!("arn:{partition}:bedrock:{region}::foundation-model/{id}"));
                continue;
            };
            arns.profiles.push(if profile.as_str().starts_with("arn:") {
                profile.to_string()
            } else {
                format!("arn:{partition}:bedrock:{region}:{account}:inference-profile/{profile}.{id}")
            });
            arns.destinations.push(format!("arn:{partition}:bedrock:*::foundation-model/{id}"));
        }
        for list in [&mut arns.on_demand, &mut arns.profiles, &mut arns.destinations] {
            list.sort();
            list.dedup();
        }
        arns
    }

    /// Every model, for a boundary: what narrows is the role's own policy.
    pub(super) fn every(place: &Place) -> Self {
        let Place { partition, account, .. } = place;
        let of_account = |kind: &str| format!("arn:{partition}:bedrock:*:{account}:{kind}/*");
        Self {
            on_demand: vec![
                format!("arn:{partition}:bedrock:*::foundation-model/*"),
                of_account("inference-profile"),
                of_account("application-inference-profile"),
            ],
            ..Self::default()
        }
    }
}
