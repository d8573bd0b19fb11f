//! What a list yields.

use serde_json::{Value, json};

use super::world::set;
use crate::migrate::{
    ElementsError,
    elements::{elements, render},
};

fn of(generators: &Value) -> Result<Value, ElementsError> {
    elements(&json!({ "spec": { "generators": generators } })).map(|all| json!(all))
}

fn list(elements: &Value) -> Value {
    json!({ "list": { "elements": elements } })
}

#[test]
fn a_list_yields_its_elements_in_their_order_whatever_keys_they_have() {
    let all = json!([{ "name": "b", "email": "b@x.y", "plan": "gold" }, { "name": "a", "values": { "size": 3 } }]);
    assert_eq!(elements(&set(&all)).map(|all| json!(all)), Ok(all));
}

#[test]
fn several_generators_follow_each_other_and_yaml_in_a_list_counts() {
    let second =
        json!({ "list": { "elements": [{ "name": "b" }], "elementsYaml": "- name: c\n- {name: d, plan: 2}\n" } });
    let all = json!([{ "name": "a" }, { "name": "b" }, { "name": "c" }, { "name": "d", "plan": 2 }]);
    assert_eq!(of(&json!([list(&json!([{ "name": "a" }])), second])), Ok(all));
}

#[test]
fn a_matrix_yields_every_pair() {
    let generators = json!([{ "matrix": { "generators": [
        list(&json!([{ "name": "a" }, { "name": "b" }])), list(&json!([{ "region": "eu" }, { "region": "us" }])),
    ] } }]);
    let all = json!([
        { "name": "a", "region": "eu" }, { "name": "a", "region": "us" },
        { "name": "b", "region": "eu" }, { "name": "b", "region": "us" },
    ]);
    assert_eq!(of(&generators), Ok(all));
}

#[test]
fn a_merge_lays_later_lists_over_the_first_and_adds_nobody() {
    let base = json!([{ "name": "a", "email": "a@x.y", "values": { "cpu": 1 } }, { "name": "b", "email": "b@x.y" }]);
    let over = json!([{ "name": "a", "plan": "gold", "values": { "memory": 2 } }, { "name": "z", "plan": "none" }]);
    let merge = json!([{ "merge": { "mergeKeys": ["name"], "generators": [list(&base), list(&over)] } }]);
    let all = json!([
        { "name": "a", "email": "a@x.y", "plan": "gold", "values": { "cpu": 1, "memory": 2 } },
        { "name": "b", "email": "b@x.y" },
    ]);
    assert_eq!(of(&merge), Ok(all));
}

#[test]
fn a_selector_filters_by_labels() {
    let mut generator = list(&json!([{ "name": "a", "plan": "gold" }, { "name": "b" }]));
    generator["selector"] = json!({ "matchLabels": { "plan": "gold" } });
    assert_eq!(of(&json!([generator.clone()])), Ok(json!([{ "name": "a", "plan": "gold" }])));
    generator["selector"] = json!({ "matchExpressions": [{ "key": "plan", "operator": "Exists" }] });
    assert_eq!(of(&json!([generator])), Err(ElementsError::Selector { path: "spec.generators[0]".into() }));
}

/// Half a list is none: whoever is missing from it would be taken for nobody.
#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    let unsupported = |path: &str, found: &str| ElementsError::Unsupported { path: path.into(), found: found.into() };
    let yaml = json!([{ "list": { "elementsYaml": "{{ .key.components | toJson }}" } }]);
    let two = json!([{ "matrix": { "generators": [list(&json!([])), { "git": { "repoURL": "x" } }] } }]);
    let double = json!([{ "merge": { "mergeKeys": ["name"], "generators": [
        list(&json!([{ "name": "a" }, { "name": "b" }, { "name": "a" }])), list(&json!([])),
    ] } }]);
    let cases = [
        (json!([]), unsupported("spec.generators", "empty")),
        (json!([{ "clusters": {} }]), unsupported("spec.generators[0]", "clusters")),
        (two, unsupported("spec.generators[0].matrix.generators[1]", "git")),
        (list_of_one("alice"), ElementsError::NotAMap { path: "spec.generators[0].list.elements[0]".into() }),
        (
            yaml,
            ElementsError::ElementsYaml {
                path: "spec.generators[0].list.elementsYaml".into(),
                why: "it is itself a template".into(),
            },
        ),
        (
            double,
            ElementsError::Combination {
                path: "spec.generators[0].merge".into(),
                why: "two elements of one generator have the same merge keys".into(),
            },
        ),
    ];
    for (generators, error) in cases {
        assert_eq!(of(&generators), Err(error));
    }
}

fn list_of_one(element: &str) -> Value {
    json!([list(&json!([element]))])
}

#[test]
fn templates_of_names_alone_are_rendered_and_others_are_not_guessed_at() {
    let parameters = json!({ "name": "a", "values": { "team": "blue" }, "values.flat": "f", "n": 3, "gone": null });
    let parameters = parameters.as_object().expect("a map");
    let cases = [
        ("t-{{name}}-{{ values.team }}-{{values.flat}}", false, Some("t-a-blue-f")),
        ("t-{{ .name }}-{{.values.team}}-{{.n}}", true, Some("t-a-blue-3")),
        ("plain", true, Some("plain")),
        ("{{ .name | lower }}", true, None),
        ("{{name}}", true, None),
        ("{{other}}", false, None),
        ("{{gone}}", false, None),
        ("{{name", false, None),
    ];
    for (template, go, rendered) in cases {
        assert_eq!(render(template, parameters, go).as_deref(), rendered, "{template}");
    }
}
