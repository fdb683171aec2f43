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
        if key.sections.is_empty() {
            table.remove(&key.name.replace('_', "-"));
        }
        if let Some(table) = key.sections.iter().try_fold(&mut *table, |table, section| {
            table.entry(section.clone()).or_insert_with(|| toml::Table::new().into()).as_table_mut()
        }) {
            table.insert(key.name.clone(), value);
        }
    }
    Ok(())
}

/// A key of the file, and the type of its value.
pub(super) struct KnownKey {
    /// The tables that it is in, the outermost first.
    sections: Vec<String>,
    pub(super) name: String,
    default: toml::Value,
}

impl KnownKey {
    /// Every key of a table with all of them.
    pub(super) fn all(sample: toml::Table) -> Vec<Self> {
        Self::within(&[], sample)
    }

    fn within(sections: &[String], sample: toml::Table) -> Vec<Self> {
        let mut keys = Vec::new();
        for (name, value) in sample {
            match value {
                toml::Value::Table(section) => {
                    keys.extend(Self::within(&[sections, &[name]].concat(), section));
                }
                default => keys.push(Self { sections: sections.to_vec(), name, default }),
            }
        }
        keys
    }

    fn variable(&self) -> String {
        let words = ["PLENARY"].into_iter().chain(self.sections.iter().map(String::as_str));
        words.chain([self.name.as_str()]).collect::<Vec<_>>().join("_").to_ascii_uppercase()
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
