//! docs/api.md, made from the definitions that `crds` prints and from the types behind them.

use std::fmt::Write as _;

use openclaw_tenant_operator::api::{
    Quantity, TenantClassSpec, TenantRecordSpec, TenantSpec, TenantStatus, class::TenantClassStatus,
    custom_resource_definitions,
};
use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use super::marks;

/// What stands before the kinds.
const HEAD: &str = "\
# API

Made from the types by `make reference`; a test fails where it is not what they say. Group `openclaw.io`, version `v1alpha1`; all three
kinds are cluster-scoped. What they are for stands in [concepts](concepts.md).

- [Tenant](#tenant): [spec](#tenant-spec), [status](#tenant-status)
- [TenantClass](#tenantclass): [spec](#tenantclass-spec), [status](#tenantclass-status)
- [TenantRecord](#tenantrecord): [spec](#tenantrecord-spec)
- [Labels and annotations](#labels-and-annotations), [tags in AWS](#tags-in-aws)

How to read it: `[]` in a path is each element of a list. A field without a default and without **required** may be left out. A *quantity*
is a text such as `500m`, `4` or `8Gi`, without a sign or an exponent; a *time* is one such as `2030-01-31T00:00:00Z`. A length counts characters. Rules are CEL, judged
by the API server (and by `check`) when an object is made or changed; those marked *on a change* compare with the former object. A field
that is not listed is refused or dropped, as the request asked for.
";

/// The page.
pub(super) fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut definitions = custom_resource_definitions();
    // As readers meet them.
    definitions.sort_by_key(|definition| match definition.spec.names.kind.as_str() {
        "Tenant" => 0,
        "TenantClass" => 1,
        _ => 2,
    });
    for definition in definitions {
        let names = &definition.spec.names;
        let version = serde_json::to_value(&definition.spec.versions[0]).unwrap_or_default();
        let short = names.short_names.iter().flatten().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let kind = Kind { name: &names.kind, schema: &version["schema"]["openAPIV3Schema"] };
        // Writing to a String cannot fail.
        let _ = write!(
            page,
            "\n## {}\n\n{} In kubectl: `{}`, {short}; category `openclaw`.\n",
            names.kind,
            kind.schema["description"].as_str().unwrap_or_default(),
            names.plural
        );
        kind.write(&mut page);
    }
    marks::write(&mut page);
    page
}

/// One kind with its schema, as the API server gets it.
struct Kind<'a> {
    name: &'a str,
    schema: &'a Value,
}

impl Kind<'_> {
    fn write(&self, page: &mut String) {
        let mut rules = Vec::new();
        collect_rules("", self.schema, &mut rules);
        write_rules(&rules, page);
        for part in ["spec", "status"] {
            let schema = &self.schema["properties"][part];
            if !schema.is_null() {
                let types = types_of(self.name, part);
                self.part(part, schema, &Types { root: &types, at: &types }, page);
            }
        }
    }

    /// The fields of spec or status, then a section for each of them that has fields of its own.
    fn part(&self, part: &str, schema: &Value, types: &Types<'_>, page: &mut String) {
        let _ = write!(page, "\n### {} {part}\n\n{}\n", self.name, paragraphs(schema, "\n\n"));
        let mut fields = Vec::new();
        for (name, field) in properties(schema) {
            let path = format!("{part}.{name}");
            let nested = !inner(field).is_empty();
            let anchor = nested.then(|| format!("#{}-{}", self.name, path.replace('.', "")).to_lowercase());
            fields.push(Row {
                path,
                schema: field,
                types: types.field(name),
                required: is_required(schema, name),
                anchor,
            });
        }
        write_table(&fields, page);
        let mut rules = Vec::new();
        collect_rules(part, schema, &mut rules);
        for row in fields.iter().filter(|row| row.anchor.is_none()) {
            collect_all_rules(&row.path, row.schema, &mut rules);
        }
        write_rules(&rules, page);
        for row in fields.iter().filter(|row| row.anchor.is_some()) {
            let _ = write!(page, "\n### {} {}\n\n{}\n", self.name, row.path, paragraphs(row.schema, "\n\n"));
            let mut below = Vec::new();
            descend(&row.path, row.schema, row.types, &mut below);
            write_table(&below, page);
            let mut rules = Vec::new();
            collect_all_rules(&row.path, row.schema, &mut rules);
            write_rules(&rules, page);
        }
    }
}

/// The types as they are written, where the definitions have lost what each value of an enumeration means.
#[derive(Clone, Copy)]
struct Types<'a> {
    root: &'a Value,
    at: &'a Value,
}

fn types_of(kind: &str, part: &str) -> Value {
    fn of<T: JsonSchema>() -> Value {
        schema_for!(T).to_value()
    }
    match (kind, part) {
        ("Tenant", "spec") => of::<TenantSpec>(),
        ("Tenant", _) => of::<TenantStatus>(),
        ("TenantClass", "spec") => of::<TenantClassSpec>(),
        ("TenantClass", _) => of::<TenantClassStatus>(),
        _ => of::<TenantRecordSpec>(),
    }
}

impl<'a> Types<'a> {
    /// Follows references, and takes what there is of an optional type.
    fn resolved(self) -> &'a Value {
        let mut at = self.at;
        loop {
            let some = at["anyOf"].as_array().and_then(|all| all.iter().find(|one| one["type"] != "null"));
            let named = at["$ref"].as_str().and_then(|name| self.root.pointer(name.trim_start_matches('#')));
            match named.or(some) {
                Some(next) => at = next,
                None => return at,
            }
        }
    }

    fn field(self, name: &str) -> Self {
        Self { root: self.root, at: &self.resolved()["properties"][name] }
    }

    fn item(self) -> Self {
        Self { root: self.root, at: &self.resolved()["items"] }
    }

    /// What a value of an enumeration means.
    fn meaning(self, value: &str) -> Option<&'a str> {
        let all = self.resolved()["oneOf"].as_array()?;
        all.iter().find(|one| one["const"] == value)?["description"].as_str()
    }
}

/// One row of a table.
struct Row<'a> {
    path: String,
    schema: &'a Value,
    types: Types<'a>,
    required: bool,
    anchor: Option<String>,
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().into_iter().flatten().any(|required| required == name)
}

/// The fields of an object, or of each element of a list.
fn inner(schema: &Value) -> Vec<(&String, &Value)> {
    let own: Vec<_> = properties(schema).collect();
    if own.is_empty() { properties(&schema["items"]).collect() } else { own }
}

fn descend<'a>(path: &str, schema: &'a Value, types: Types<'a>, found: &mut Vec<Row<'a>>) {
    let is_list = schema["items"].is_object();
    let (schema, types, mark) = if is_list { (&schema["items"], types.item(), "[]") } else { (schema, types, "") };
    for (name, field) in properties(schema) {
        let (path, types) = (format!("{path}{mark}.{name}"), types.field(name));
        found.push(Row { path: path.clone(), schema: field, types, required: is_required(schema, name), anchor: None });
        descend(&path, field, types, found);
    }
}

fn write_table(rows: &[Row<'_>], page: &mut String) {
    page.push_str("\n| field | type | default | limits | what it is |\n|---|---|---|---|---|\n");
    for row in rows {
        let name = row
            .anchor
            .as_ref()
            .map_or_else(|| format!("`{}`", row.path), |anchor| format!("[`{}`]({anchor})", row.path));
        let default = match &row.schema["default"] {
            Value::Null if row.required => "**required**".to_owned(),
            Value::Null => String::new(),
            Value::Object(_) => "as of its fields".to_owned(),
            default => code(&default.to_string().replace("\",\"", "\", \"")),
        };
        let cells = [name, kind_of(row.schema), default, limits(row.schema).join("; "), meaning(row)];
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
}

/// A pipe ends a cell, within code too.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

fn paragraphs(schema: &Value, between: &str) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    let paragraphs: Vec<String> = text.split("\n\n").map(|one| one.replace('\n', " ")).collect();
    paragraphs.join(between)
}

fn meaning(row: &Row<'_>) -> String {
    let mut text = paragraphs(row.schema, "<br>").replace('|', "\\|");
    let (schema, types) =
        if row.schema["enum"].is_array() { (row.schema, row.types) } else { (&row.schema["items"], row.types.item()) };
    for value in schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if let Some(meaning) = types.meaning(value) {
            let _ = write!(text, "<br>`{value}`: {}", meaning.replace('\n', " ").replace('|', "\\|"));
        }
    }
    text
}

fn quantity() -> Value {
    schema_for!(Quantity).to_value()["pattern"].clone()
}

fn kind_of(schema: &Value) -> String {
    let one = schema["type"].as_str().unwrap_or("anything");
    match one {
        "string" if schema["pattern"] == quantity() => "quantity".to_owned(),
        "string" if schema["format"] == "date-time" => "time".to_owned(),
        "array" => {
            let item = kind_of(&schema["items"]);
            match schema["x-kubernetes-list-type"].as_str() {
                Some("set") => format!("set of {item}"),
                Some("map") => {
                    let keys = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
                    let keys: Vec<&str> = keys.filter_map(Value::as_str).collect();
                    format!("list of {item}, one for each `{}`", keys.join("`, `"))
                }
                _ => format!("list of {item}"),
            }
        }
        "object" if schema["additionalProperties"].is_object() => {
            format!("map of {}", kind_of(&schema["additionalProperties"]))
        }
        other => other.to_owned(),
    }
}

/// A bound, which the definitions keep as a number with a fraction.
fn number(value: &Value) -> String {
    let text = value.to_string();
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn between(schema: &Value, least: &str, most: &str, what: &str) -> Option<String> {
    let (least, most) = (&schema[least], &schema[most]);
    match (least.is_null(), most.is_null()) {
        (true, true) => None,
        (false, false) if least == most => Some(format!("{}{what}", number(least))),
        (false, false) => Some(format!("{} to {}{what}", number(least), number(most))),
        (true, false) => Some(format!("at most {}{what}", number(most))),
        (false, true) => Some(format!("at least {}{what}", number(least))),
    }
}

fn limits(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().filter_map(Value::as_str).map(code).collect();
        found.push(values.join(", "));
    }
    found.extend(between(schema, "minimum", "maximum", ""));
    found.extend(between(schema, "minItems", "maxItems", " items"));
    found.extend(between(schema, "minProperties", "maxProperties", " entries"));
    if schema["pattern"] != quantity() {
        found.extend(between(schema, "minLength", "maxLength", " characters"));
        found.extend(schema["pattern"].as_str().map(code));
    }
    for part in ["items", "additionalProperties"] {
        if schema[part].is_object() && schema[part]["type"] != "object" {
            let each = limits(&schema[part]);
            if !each.is_empty() {
                found.push(format!("each {}", each.join("; ")));
            }
        }
    }
    found
}

/// Where a rule stands, what it says, and itself.
type Rule = (String, String, String);

fn collect_rules(path: &str, schema: &Value, found: &mut Vec<Rule>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let text = |key: &str| rule[key].as_str().unwrap_or_default().replace('\n', " ");
        let path = format!("{path}{}", text("fieldPath"));
        found.push((path, text("message"), text("rule")));
    }
}

fn collect_all_rules(path: &str, schema: &Value, found: &mut Vec<Rule>) {
    collect_rules(path, schema, found);
    for (name, field) in properties(schema) {
        collect_all_rules(&format!("{path}.{name}"), field, found);
    }
    if schema["items"].is_object() {
        collect_all_rules(&format!("{path}[]"), &schema["items"], found);
    }
}

fn write_rules(rules: &[Rule], page: &mut String) {
    for (index, (path, message, rule)) in rules.iter().enumerate() {
        if index == 0 {
            page.push_str("\nRules:\n\n");
        }
        let at = if path.is_empty() { "`metadata.name`".to_owned() } else { format!("`{path}`") };
        let when = if rule.contains("oldSelf") { ", *on a change*" } else { "" };
        let _ = writeln!(page, "- {at}{when}: {message}. ``{rule}``");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_the_types_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md");
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(found == page(), "docs/api.md is not what the types say: run make reference");
    }

    /// All paths of fields, by a walk of its own.
    fn paths(path: &str, schema: &Value, found: &mut Vec<String>) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            found.push(path.clone());
            paths(&path, field, found);
        }
        if schema["items"].is_object() {
            paths(&format!("{path}[]"), &schema["items"], found);
        }
    }

    #[test]
    fn every_field_and_every_rule_is_on_it() {
        let page = page();
        let mut count = 0;
        for definition in custom_resource_definitions() {
            let kind = definition.spec.names.kind.clone();
            let begin = format!("\n## {kind}\n");
            let (_, own) = page.split_once(&begin).expect("its section");
            let own = own.split_once("\n## ").map_or(own, |(own, _)| own);
            let version = serde_json::to_value(&definition.spec.versions[0]).expect("JSON");
            let schema = &version["schema"]["openAPIV3Schema"];
            let mut found = Vec::new();
            paths("", schema, &mut found);
            let fields: Vec<&str> = found.iter().map(|path| &path[1..]).filter(|path| path.contains('.')).collect();
            for path in &fields {
                assert!(own.contains(&format!("`{path}`")), "{kind} {path}");
            }
            count += fields.len();
            let rules = version.to_string().matches("\"rule\":").count();
            assert_eq!(own.lines().filter(|line| line.ends_with("``")).count(), rules, "the rules of {kind}");
        }
        assert!(count > 200, "they are found: {count}");
    }

    #[test]
    fn no_field_is_without_its_meaning_and_none_speaks_to_programmers() {
        let rows = page();
        let rows: Vec<&str> = rows.lines().filter(|line| line.starts_with("| `") || line.starts_with("| [`")).collect();
        for row in &rows {
            assert!(!row.ends_with("|  |"), "{row}");
            assert!(!row.contains("[`") || row.starts_with("| [`") && row.matches("[`").count() == 1, "{row}");
        }
    }

    #[test]
    fn a_field_s_row_says_all_that_its_schema_says() {
        let page = page();
        let expected = "| `spec.deletion.retentionDays` | integer | `30` | 7 to 365 | Days for which a retained tenant is kept before it \
                        is purged, where `retention` is `Days`. |";
        assert!(page.contains(expected), "{expected}");
        let expected = "| `spec.deletionPolicy` | string | `\"Retain\"` | `Retain`, `Delete` | What becomes of the data when this Tenant \
                        is deleted, among what the class allows.<br>`Retain`: ";
        assert!(page.contains(expected), "{expected}");
    }
}
