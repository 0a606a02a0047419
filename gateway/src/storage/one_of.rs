//! The condition of a partial index: a field has one of some values.

use serde_json::Value;

use super::collection::Collection;
use super::field;
use super::sql::SqlValue;
use super::statement::Dialect;
use super::statement::constant::constant;

/// That a field has one of these values.
#[derive(Clone, Debug)]
pub struct OneOf {
    /// The field's place in the collection.
    pub(super) field: usize,
    pub(super) column: String,
    /// NULL stands for a document that lacks the field.
    values: Vec<SqlValue>,
}

impl OneOf {
    /// From a field's name and the JSON values that the manifest lists for it.
    ///
    /// # Errors
    /// The field is not declared, or a value is none of its type.
    pub(super) fn new(collection: &Collection, name: &str, listed: &Value) -> Result<Self, String> {
        let place = collection.fields.iter().position(|field| field.name == name);
        let place = place.ok_or_else(|| format!("where: {name} is not a declared field"))?;
        let declared = &collection.fields[place];
        let listed = listed.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut values = Vec::with_capacity(listed.len());
        for value in listed {
            let text = value.to_string();
            let value = field::value(declared, Some(&text))
                .map_err(|fault| format!("where: {}, and {text} is not", fault.detail))?;
            if value != SqlValue::Null && constant(&value, Dialect::Sqlite).is_none() {
                let type_name = declared.field_type.name();
                return Err(format!("where: {name} is {type_name}, which has no literal"));
            }
            values.push(value);
        }
        Ok(Self { field: place, column: declared.column.clone(), values })
    }

    /// Whether it holds for a document with these values of its fields.
    pub(super) fn holds(&self, fields: &[SqlValue]) -> bool {
        self.values.contains(&fields[self.field])
    }

    /// The condition about a value: a column or a parameter.
    ///
    /// `PostgreSQL` proves that a statement's condition implies the index's. `SQLite` compares their
    /// forms, and takes one arm of an OR: so there is one for the list and one for each value.
    pub(super) fn condition(&self, value: &str, dialect: Dialect) -> String {
        let constants: Vec<String> =
            self.values.iter().filter_map(|value| constant(value, dialect)).collect();
        let mut arms = Vec::new();
        if constants.len() > 1 {
            arms.push(format!("{value} IN ({})", constants.join(", ")));
        }
        if constants.len() == 1 || dialect == Dialect::Sqlite {
            arms.extend(constants.iter().map(|constant| format!("{value} = {constant}")));
        }
        if self.values.contains(&SqlValue::Null) {
            arms.push(format!("{value} IS NULL"));
        }
        format!("({})", arms.join(" OR "))
    }
}
