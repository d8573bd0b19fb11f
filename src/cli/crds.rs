//! `crds`: the definitions, and the JSON Schemas that are made from them.

use std::{fs, io::Write as _, path::PathBuf};

use clap::Args;
use openclaw_tenant_operator::{api::custom_resource_definitions, check::published::json_schemas};

use super::{CliError, check, write};

#[derive(Debug, Args)]
pub(super) struct CrdsArgs {
    /// Write one file for each kind into this directory, and JSON Schemas for editors into schema/ below it
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Fail where the files in this directory are not what this program would write
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    check: Option<PathBuf>,
}

impl CrdsArgs {
    pub(super) fn execute(self) -> Result<(), CliError> {
        let mut files = Vec::new();
        for definition in custom_resource_definitions() {
            let name = format!("{}_{}.yaml", definition.spec.group, definition.spec.names.plural);
            let yaml = serde_saphyr::to_string(&definition).map_err(|error| CliError::Yaml(error.to_string()))?;
            files.push((name, format!("---\n{yaml}")));
        }
        if self.output.is_some() || self.check.is_some() {
            for (name, schema) in json_schemas() {
                files.push((format!("schema/{name}"), format!("{schema:#}\n")));
            }
        }
        match (self.output, self.check) {
            (Some(directory), _) => {
                let schemas = directory.join("schema");
                fs::create_dir_all(&schemas).map_err(|source| CliError::File { path: schemas, source })?;
                files.iter().try_for_each(|(name, yaml)| write(&directory.join(name), yaml))
            }
            (None, Some(directory)) => files.iter().try_for_each(|(name, yaml)| check(&directory, name, yaml, "crds")),
            (None, None) => {
                let all: String = files.into_iter().map(|(_, yaml)| yaml).collect();
                let error = |source| CliError::File { path: "standard output".into(), source };
                std::io::stdout().write_all(all.as_bytes()).map_err(error)
            }
        }
    }
}
