//! PURE: the elements of an ApplicationSet: what its list generators, and matrices and merges of them, yield.
//!
//! After Argo CD 3.6 (github.com/argoproj/argo-cd, applicationset/generators: list.go, matrix.go, merge.go). Generators that ask
//! somebody else (clusters, git, …) are refused: what they yield is not in the object.

use serde_json::{Map, Value};

/// The parameters of one element, as the template sees them.
pub type Parameters = Map<String, Value>;

/// Why the elements of an ApplicationSet cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElementsError {
    /// A generator that is not understood, or none.
    #[error(
        "{path} is none of list, matrix and merge, but {found}: what it yields is not in the ApplicationSet. Write the \
         elements into a list generator of a copy (argocd appset generate shows the Applications), and give it by --file"
    )]
    Unsupported {
        /// Where in the object.
        path: String,
        /// The keys that are there.
        found: String,
    },
    /// An element that is no object.
    #[error("{path} is not a map of keys and values")]
    NotAMap {
        /// Where in the object.
        path: String,
    },
    /// A list that is itself a template, or is no YAML.
    #[error("{path} cannot be read: {why}")]
    ElementsYaml {
        /// Where in the object.
        path: String,
        /// Why not.
        why: String,
    },
    /// A combination that Argo CD would refuse too.
    #[error("{path}: {why}")]
    Combination {
        /// Where in the object.
        path: String,
        /// Why.
        why: String,
    },
    /// A filter that is not understood.
    #[error("{path} has a selector with matchExpressions, which is not understood: give a copy without it by --file")]
    Selector {
        /// Where in the object.
        path: String,
    },
}

/// All elements, in the order in which they are written.
///
/// # Errors
/// Where a generator is not understood: half a list is none.
pub fn elements(set: &Value) -> Result<Vec<Parameters>, ElementsError> {
    let generators = set["spec"]["generators"].as_array().map(Vec::as_slice).unwrap_or_default();
    if generators.is_empty() {
        return Err(ElementsError::Unsupported { path: "spec.generators".into(), found: "empty".into() });
    }
    let each = generators.iter().enumerate();
    let yields = each.map(|(index, generator)| generate(generator, &format!("spec.generators[{index}]")));
    Ok(yields.collect::<Result<Vec<_>, _>>()?.concat())
}

fn generate(generator: &Value, path: &str) -> Result<Vec<Parameters>, ElementsError> {
    let all = if generator["list"].is_object() {
        list(&generator["list"], &format!("{path}.list"))?
    } else if generator["matrix"].is_object() {
        matrix(&generator["matrix"], &format!("{path}.matrix"))?
    } else if generator["merge"].is_object() {
        merge(&generator["merge"], &format!("{path}.merge"))?
    } else {
        let keys = generator.as_object().into_iter().flat_map(Map::keys).cloned().collect::<Vec<_>>().join(", ");
        let found = if keys.is_empty() { "empty".to_owned() } else { keys };
        return Err(ElementsError::Unsupported { path: path.to_owned(), found });
    };
    select(all, &generator["selector"], path)
}

/// `matchLabels` of a post-selector: every named parameter has this very value.
fn select(all: Vec<Parameters>, selector: &Value, path: &str) -> Result<Vec<Parameters>, ElementsError> {
    if selector["matchExpressions"].as_array().is_some_and(|expressions| !expressions.is_empty()) {
        return Err(ElementsError::Selector { path: path.to_owned() });
    }
    let wanted = |one: &Parameters| {
        let labels = selector["matchLabels"].as_object().into_iter().flatten();
        labels.into_iter().all(|(key, value)| text(one, key).as_deref() == value.as_str())
    };
    Ok(all.into_iter().filter(wanted).collect())
}

fn list(list: &Value, path: &str) -> Result<Vec<Parameters>, ElementsError> {
    let mut all = Vec::new();
    for (index, element) in list["elements"].as_array().into_iter().flatten().enumerate() {
        let map = element.as_object().cloned();
        all.push(map.ok_or_else(|| ElementsError::NotAMap { path: format!("{path}.elements[{index}]") })?);
    }
    if let Some(yaml) = list["elementsYaml"].as_str().filter(|yaml| !yaml.is_empty()) {
        let failed = |why: String| ElementsError::ElementsYaml { path: format!("{path}.elementsYaml"), why };
        if yaml.contains("{{") {
            return Err(failed("it is itself a template".into()));
        }
        all.extend(serde_saphyr::from_str::<Vec<Parameters>>(yaml).map_err(|error| failed(error.to_string()))?);
    }
    Ok(all)
}

fn children(of: &Value, path: &str) -> Result<Vec<Vec<Parameters>>, ElementsError> {
    let generators = of["generators"].as_array().into_iter().flatten().enumerate();
    generators.map(|(index, generator)| generate(generator, &format!("{path}.generators[{index}]"))).collect()
}

/// Every pair of the first's and the second's elements. Where both have a key, the first one's value counts; without
/// Go templates Argo CD refuses unequal ones, so nothing is lost by that.
fn matrix(of: &Value, path: &str) -> Result<Vec<Parameters>, ElementsError> {
    let parts = children(of, path)?;
    let [first, second] = parts.as_slice() else {
        let why = format!("a matrix has exactly two generators, not {}", parts.len());
        return Err(ElementsError::Combination { path: path.to_owned(), why });
    };
    let pair = |one: &Parameters, other: &Parameters| {
        let mut both = other.clone();
        overlay(&mut both, one);
        both
    };
    Ok(first.iter().flat_map(|one| second.iter().map(move |other| pair(one, other))).collect())
}

/// The first generator's elements, each with what later ones say of the same merge keys. What only later ones have is left
/// out.
fn merge(of: &Value, path: &str) -> Result<Vec<Parameters>, ElementsError> {
    let failed = |why: &str| ElementsError::Combination { path: path.to_owned(), why: why.to_owned() };
    let keys: Vec<&str> = of["mergeKeys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if keys.is_empty() {
        return Err(failed("a merge needs mergeKeys"));
    }
    let key = |one: &Parameters| -> Vec<Value> {
        keys.iter().map(|key| one.get(*key).cloned().unwrap_or(Value::Null)).collect()
    };
    let parts = children(of, path)?;
    for part in &parts {
        let mut seen: Vec<Vec<Value>> = part.iter().map(key).collect();
        seen.sort_by_key(|key| Value::from(key.clone()).to_string());
        if seen.windows(2).any(|two| two[0] == two[1]) {
            return Err(failed("two elements of one generator have the same merge keys"));
        }
    }
    let Some((base, more)) = parts.split_first().filter(|(_, more)| !more.is_empty()) else {
        return Err(failed("a merge has at least two generators"));
    };
    let mut merged = base.clone();
    for one in &mut merged {
        for other in more.iter().flatten().filter(|other| key(other) == key(one)).cloned().collect::<Vec<_>>() {
            overlay(one, &other);
        }
    }
    Ok(merged)
}

/// Puts one map over another, member by member.
fn overlay(target: &mut Parameters, over: &Parameters) {
    for (key, value) in over {
        match (target.get_mut(key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => overlay(below, above),
            _ => {
                target.insert(key.clone(), value.clone());
            }
        }
    }
}

/// A parameter as text: by its name, or along the dots of a path into it.
pub fn text(parameters: &Parameters, path: &str) -> Option<String> {
    let along = || {
        let mut steps = path.split('.');
        let first = parameters.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    };
    let value = parameters.get(path).or_else(along)?;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What a template of Argo CD yields for an element; `None` where it holds more than names of parameters, or one that the
/// element does not have.
///
/// `{{name}}` without Go templates, `{{.name}}` with them (applicationset/utils/utils.go, `Render.Replace`).
pub fn render(template: &str, parameters: &Parameters, go: bool) -> Option<String> {
    let mut rest = template;
    let mut rendered = String::new();
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, behind) = after.split_once("}}")?;
        let name = inside.trim();
        let path = if go { name.strip_prefix('.')? } else { name };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if path.is_empty() || !path.chars().all(plain) {
            return None;
        }
        rendered.push_str(before);
        rendered.push_str(&text(parameters, path)?);
        rest = behind;
    }
    rendered.push_str(rest);
    Some(rendered)
}
