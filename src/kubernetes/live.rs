//! Objects as the server sends them, without what nobody here asks for.

use std::{borrow::Cow, fmt};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    api::ApiResource,
    core::{DynamicResourceScope, Resource},
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value};

/// Who has written which field: often half of an object, and nothing that a decision sees.
const MANAGED_FIELDS: &str = "managedFields";

/// An object of any kind as raw JSON. `metadata.managedFields` is passed over while it is read: a process that follows sixty thousand
/// objects would make and drop a value for each of their fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    /// Everything else that the server has sent.
    pub value: Value,
    /// What a watch asks of it: name, namespace, UID and resource version.
    identity: ObjectMeta,
}

impl Live {
    fn of(value: Value) -> Self {
        let text = |field: &str| value["metadata"][field].as_str().map(str::to_owned);
        let identity = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            ..ObjectMeta::default()
        };
        Self { value, identity }
    }
}

impl<'de> Deserialize<'de> for Live {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Part::Object.deserialize(deserializer).map(Self::of)
    }
}

/// What of an object is being read.
#[derive(Clone, Copy)]
enum Part {
    Object,
    Metadata,
}

impl<'de> DeserializeSeed<'de> for Part {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Part {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(field) = fields.next_key::<String>()? {
            let value = match (self, field.as_str()) {
                (Self::Metadata, MANAGED_FIELDS) => {
                    fields.next_value::<IgnoredAny>()?;
                    continue;
                }
                (Self::Object, "metadata") => fields.next_value_seed(Self::Metadata)?,
                (Self::Object | Self::Metadata, _) => fields.next_value()?,
            };
            object.insert(field, value);
        }
        Ok(Value::Object(object))
    }
}

impl Resource for Live {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.identity
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.identity
    }
}

#[cfg(test)]
mod tests {
    use kube::api::WatchEvent;
    use serde_json::json;

    use super::*;

    fn sent() -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "alice", "namespace": "openclaw-alice", "uid": "u-1", "resourceVersion": "7",
                "labels": { "managedFields": "somebody's label" },
                "managedFields": [{ "manager": "m", "fieldsV1": { "f:data": { ".": {} } } }],
            },
            "data": { "managedFields": "somebody's key" },
            "managedFields": "of no object that Kubernetes has",
        })
    }

    #[test]
    fn only_who_has_written_what_is_passed_over() {
        let mut wanted = sent();
        wanted["metadata"].as_object_mut().expect("an object").remove("managedFields");
        let read: Live = serde_json::from_slice(&serde_json::to_vec(&sent()).expect("JSON")).expect("an object");
        assert_eq!(read.value, wanted);
        let (identity, text) = (read.meta(), |text: &str| Some(text.to_owned()));
        assert_eq!((&identity.name, &identity.namespace), (&text("alice"), &text("openclaw-alice")));
        assert_eq!((&identity.uid, &identity.resource_version), (&text("u-1"), &text("7")));
    }

    #[test]
    fn it_comes_out_of_a_watch() {
        let event: WatchEvent<Live> =
            serde_json::from_value(json!({ "type": "ADDED", "object": sent() })).expect("an event");
        assert!(matches!(event, WatchEvent::Added(live) if live.value["data"] == sent()["data"]));
    }

    #[test]
    fn what_is_no_object_is_none() {
        for text in ["[]", "7", "\"metadata\"", "{\"metadata\": 7}"] {
            assert!(serde_json::from_str::<Live>(text).is_err(), "{text}");
        }
    }
}
