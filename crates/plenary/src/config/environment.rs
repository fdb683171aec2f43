//! The environment variables that override keys of the file.

use anyhow::{Context, anyhow};

/// `PLENARY_HTTP` sets `http`, `PLENARY_RESERVATIONS_CAPACITY` sets `capacity` of `[reservations]`.
pub(super) fn overlay(
    table: &mut toml::Table,
    known: &[KnownKey],
    environment: impl IntoIterator<Item = (String, String)>,
) -> anyhow::Result<()> {
    for (variable, value) in environment {
        let Some(key) = known.iter().find(|key| key.variable() == variable) else { continue };
        let value =
            key.parse(&value).with_context(|| format!("the environment variable {variable} is not valid"))?;
        match &key.section {
            None => {
                table.remove(&key.name.replace('_', "-"));
                table.insert(key.name.clone(), value);
            }
            Some(section) => {
                let section = table.entry(section.clone()).or_insert_with(|| toml::Table::new().into());
                if let toml::Value::Table(section) = section {
                    section.insert(key.name.clone(), value);
                }
            }
        }
    }
    Ok(())
}

/// A key of the file, and the type of its value.
pub(super) struct KnownKey {
    section: Option<String>,
    pub(super) name: String,
    default: toml::Value,
}

impl KnownKey {
    /// Every key of a table with all of them.
    pub(super) fn all(sample: toml::Table) -> Vec<Self> {
        let mut keys = Vec::new();
        for (name, value) in sample {
            match value {
                toml::Value::Table(section) => keys.extend(section.into_iter().map(|(key, default)| Self {
                    section: Some(name.clone()),
                    name: key,
                    default,
                })),
                default => keys.push(Self { section: None, name, default }),
            }
        }
        keys
    }

    fn variable(&self) -> String {
        match &self.section {
            Some(section) => format!("PLENARY_{section}_{}", self.name),
            None => format!("PLENARY_{}", self.name),
        }
        .to_ascii_uppercase()
    }

    fn parse(&self, text: &str) -> anyhow::Result<toml::Value> {
        Ok(match &self.default {
            toml::Value::Integer(_) => {
                text.trim().parse::<i64>().map_err(|_| anyhow!("`{text}` is not a whole number"))?.into()
            }
            toml::Value::Boolean(_) => text
                .trim()
                .parse::<bool>()
                .map_err(|_| anyhow!("`{text}` is neither `true` nor `false`"))?
                .into(),
            toml::Value::Array(_) => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| toml::Value::from(item.to_owned()))
                .collect::<Vec<_>>()
                .into(),
            toml::Value::String(_)
            | toml::Value::Float(_)
            | toml::Value::Datetime(_)
            | toml::Value::Table(_) => toml::Value::from(text.to_owned()),
        })
    }
}
