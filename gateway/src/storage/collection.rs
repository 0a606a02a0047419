//! A collection as the storage layer sees it: its table, its columns, its indexes.
//!
//! Every physical name is built here from names that the manifest's schema has checked, and
//! never from a request.

use super::field::MAX_TEXT_FIELD_BYTES;
use super::one_of::OneOf;
use super::reference::{IncomingReference, Reference};
use super::search::SearchIndex;
use crate::manifest::{CollectionDeclaration, FieldType, IndexDeclaration, RetentionDeclaration};

/// A declared collection with its physical names.
#[derive(Clone, Debug)]
pub struct Collection {
    /// Its name in statements and calls.
    pub name: String,
    /// Its table, the same on both databases.
    pub table: String,
    /// Its declared fields, and one for the words of each `search` index.
    pub fields: Vec<Field>,
    /// Its declared indexes by order.
    pub indexes: Vec<Index>,
    /// Its declared references. Set when all collections of the plugin are known.
    pub references: Vec<Reference>,
    /// Whether a count of it has a limit. Set when all counts of the plugin are known.
    pub limited: bool,
    /// The references of others to it, as above.
    pub referenced_by: Vec<IncomingReference>,
    /// Its declared indexes by what a list or JSON contains.
    pub contains: Vec<ContainsIndex>,
    /// Its declared indexes of words.
    pub searches: Vec<SearchIndex>,
    /// The name of the index by expiry, where there is one.
    pub expiry_index: String,
    /// Whether its documents may expire. Where they may not, no query tests for it.
    pub expires: bool,
    /// The default time to live in microseconds.
    pub default_ttl_us: Option<i64>,
    /// After what time the sweeper deletes documents that do not expire.
    pub retention: Option<Retention>,
    /// The columns by which schedules look for what is due, with the names of their indexes. Set
    /// when all schedules of the plugin are known.
    pub due: Vec<(String, String)>,
    /// The form of its bodies, as the plugin counts it.
    pub schema_version: u32,
    /// Stands in each row, and tells by which declaration its columns were filled: see
    /// [`layout`].
    pub layout: i32,
}

/// A declared retention.
#[derive(Clone, Debug)]
pub struct Retention {
    /// The column of the time from which it counts.
    pub column: String,
    /// How old a document becomes, in microseconds.
    pub age_us: i64,
    /// The name of the index on the column.
    pub index: String,
}

/// A declared field with its column.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name in statements.
    pub name: String,
    /// Its column.
    pub column: String,
    /// Its type.
    pub field_type: FieldType,
    /// JSON Pointers; the first that exists in a body counts.
    pub paths: Vec<String>,
    /// The longest text that it takes.
    pub max_bytes: usize,
}

impl Field {
    /// Whether a column of this name is a field's: no other has a name that begins so.
    #[must_use]
    pub fn is_column(name: &str) -> bool {
        name.starts_with("f__") || name.starts_with("w__")
    }
}

/// A declared index.
#[derive(Clone, Debug)]
pub struct Index {
    /// Its name in the manifest.
    pub name: String,
    /// Its name in the database.
    pub physical_name: String,
    /// Columns after the tenant, and whether each is descending.
    pub columns: Vec<(String, bool)>,
    /// At most one document of a tenant with these values.
    pub unique: bool,
    /// Only documents that have the first field stand in it.
    pub sparse: bool,
    /// It gives documents in no order.
    pub lookup: bool,
    /// Where it is partial: all of these hold for the documents in it.
    pub only: Vec<OneOf>,
}

/// A declared index by what a list or JSON contains.
#[derive(Clone, Debug)]
pub struct ContainsIndex {
    /// Its name in the manifest.
    pub name: String,
    /// Its name in the database; on `SQLite` that of the table beside the collection's.
    pub physical_name: String,
    /// The field's column.
    pub column: String,
    /// The field's type: a list of text, or JSON.
    pub field_type: FieldType,
}

/// What every document has, by the name that statements use, with column and type. Names of
/// declared fields never begin with an underscore, so these cannot collide with them.
pub const BUILT_IN_COLUMNS: [(&str, &str, FieldType); 6] = [
    ("id", "id", FieldType::Text),
    ("_version", "version", FieldType::Integer),
    ("_created_at", "created_at", FieldType::Timestamp),
    ("_updated_at", "updated_at", FieldType::Timestamp),
    ("_expires_at", "expires_at", FieldType::Timestamp),
    ("_body", "body", FieldType::Json),
];

impl Collection {
    /// Name everything of a declared collection.
    ///
    /// # Errors
    /// An index names a field that is not declared, or one that cannot be ordered.
    pub fn new(plugin: &str, declaration: &CollectionDeclaration) -> Result<Self, String> {
        let table = physical_name(&[&plugin.replace('-', "_"), &declaration.name]);
        let fields: Vec<Field> = declaration
            .fields
            .0
            .iter()
            .map(|field| Field {
                name: field.name.clone(),
                column: physical_name(&["f", &field.name]),
                field_type: field.field_type,
                paths: field.paths.clone(),
                max_bytes: field.max_bytes.unwrap_or(MAX_TEXT_FIELD_BYTES),
            })
            .collect();
        let mut collection = Self {
            name: declaration.name.clone(),
            // Declared indexes have no empty name, so this one is the gateway's own.
            expiry_index: physical_name(&[&table, "", "expires"]),
            table,
            fields,
            indexes: Vec::new(),
            references: Vec::new(),
            referenced_by: Vec::new(),
            contains: Vec::new(),
            searches: Vec::new(),
            limited: false,
            expires: declaration.expires(),
            default_ttl_us: declaration.ttl_seconds.map(|seconds| i64::from(seconds) * 1_000_000),
            retention: None,
            due: Vec::new(),
            schema_version: declaration.schema_version,
            layout: layout(declaration),
        };
        collection.retention =
            declaration.retention.as_ref().map(|kept| collection.retention(kept)).transpose()?;
        refuse_long_values(declaration)?;
        for index in &declaration.indexes {
            let fault = |fault| format!("index {} of {}: {fault}", index.name, declaration.name);
            if !index.search.is_empty() {
                let name = collection.index_name(index);
                let index = SearchIndex::new(name, &collection.fields, index);
                collection.searches.push(index.map_err(fault)?);
            } else if !index.contains.is_empty() {
                collection.contains.push(collection.contains_index(index)?);
            } else {
                collection.indexes.push(collection.index(index)?);
            }
        }
        collection.fields.extend(collection.searches.iter().map(SearchIndex::field));
        collection.refuse_same_unique_columns()?;
        Ok(collection)
    }

    /// How the names of all that the gateway makes for a plugin begin.
    #[must_use]
    pub fn name_prefix(plugin: &str) -> String {
        let whole = format!("{}__", plugin.replace('-', "_"));
        let cut = MAX_IDENTIFIER_BYTES - CUT_SUFFIX_BYTES;
        if whole.len() <= cut { whole } else { whole[..cut].to_owned() }
    }

    /// The columns of a row that say under which declaration it was written, and their values.
    #[must_use]
    pub fn marks(&self) -> [(&'static str, String); 2] {
        [("schema_version", self.schema_version.to_string()), ("layout", self.layout.to_string())]
    }

    /// The marks as the end of a list of assignments.
    #[must_use]
    pub fn set_marks(&self) -> String {
        self.marks().iter().map(|(column, value)| format!(", {column} = {value}")).collect()
    }

    /// The column and type that a name stands for in a statement.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<(&str, FieldType)> {
        let built_in = BUILT_IN_COLUMNS.iter().find(|(known, ..)| *known == name);
        if let Some((_, column, field_type)) = built_in {
            return Some((column, *field_type));
        }
        let field = self.fields.iter().find(|field| field.name == name)?;
        Some((&field.column, field.field_type))
    }

    /// Let a schedule find the documents in which this field is due.
    pub fn make_due(&mut self, field: &str) {
        let Some((column, _)) = self.column(field) else { return };
        let column = column.to_owned();
        let index = physical_name(&[&self.table, "", "due", &column]);
        if self.due.iter().all(|(known, _)| *known != column) {
            self.due.push((column, index));
        }
    }

    /// Indexes that hold a value once.
    pub fn unique_indexes(&self) -> impl Iterator<Item = &Index> {
        self.indexes.iter().filter(|index| index.unique)
    }

    /// Whether a write can fail for another document's value.
    #[must_use]
    pub fn has_unique_index(&self) -> bool {
        self.unique_indexes().next().is_some()
    }

    /// Whether a write can fail for what other documents hold.
    #[must_use]
    pub fn depends_on_others(&self) -> bool {
        let references = !self.references.is_empty() || !self.referenced_by.is_empty();
        references || self.limited || self.has_unique_index()
    }

    /// The manifest's name of a reference from its physical name: one that leads to this
    /// collection, behind the name of the collection that declares it.
    #[must_use]
    pub fn violated_reference(&self, physical_name: &str) -> Option<&str> {
        let own = self.references.iter().map(|r| (&r.physical_name, &r.name));
        let incoming = self.referenced_by.iter().map(|r| (&r.physical_name, &r.name));
        let mut known = own.chain(incoming);
        known.find(|(known, _)| *known == physical_name).map(|(_, name)| name.as_str())
    }

    /// The manifest's name of a unique index, from what a database calls it: by its physical name,
    /// or by its columns.
    #[must_use]
    pub fn violated_index(&self, reported: &str) -> Option<&str> {
        let columns = |index: &Index| {
            let names = index.columns.iter().map(|(column, _)| column.as_str());
            std::iter::once("tenant").chain(names).collect::<Vec<_>>().join(", ")
        };
        let index = self
            .unique_indexes()
            .find(|index| index.physical_name == reported || columns(index) == reported)?;
        Some(&index.name)
    }

    fn retention(&self, declaration: &RetentionDeclaration) -> Result<Retention, String> {
        let field = &declaration.field;
        let place = || format!("retention of {}", self.name);
        let (column, field_type) = self
            .column(field)
            .ok_or_else(|| format!("{}: {field} is not a declared field", place()))?;
        if field_type != FieldType::Timestamp || field == "_expires_at" {
            let wanted = "declare a timestamp field, or take _created_at or _updated_at";
            return Err(format!("{}: {field} cannot tell a document's age; {wanted}", place()));
        }
        Ok(Retention {
            column: column.to_owned(),
            age_us: i64::from(declaration.days) * MICROSECONDS_OF_A_DAY,
            index: physical_name(&[&self.table, "", "retention", column]),
        })
    }

    /// With a digest of its definition: an index that is declared otherwise is another index, and
    /// one that is there is as it is declared. Unique ones are built anew when the values of their
    /// fields may change places.
    fn index_name(&self, declaration: &IndexDeclaration) -> String {
        let fields =
            declaration.fields.iter().map(|field| field.strip_prefix('-').unwrap_or(field));
        let named = fields
            .chain(declaration.only.keys().map(String::as_str))
            .chain(declaration.contains.iter().map(String::as_str))
            .chain(declaration.search.iter().map(String::as_str));
        let fields: Vec<&Field> =
            named.filter_map(|name| self.fields.iter().find(|field| field.name == name)).collect();
        let types: Vec<FieldType> = fields.iter().map(|field| field.field_type).collect();
        let mut definition = format!("{declaration:?} {types:?}");
        if declaration.unique {
            let paths: Vec<&Vec<String>> = fields.iter().map(|field| &field.paths).collect();
            definition.push_str(&format!(" {paths:?} {}", self.schema_version));
        }
        physical_name(&[&self.table, &declaration.name, &short_digest(&definition)])
    }

    fn index(&self, declaration: &IndexDeclaration) -> Result<Index, String> {
        let columns = declaration
            .fields
            .iter()
            .map(|field| {
                let name = field.strip_prefix('-').unwrap_or(field);
                let place = || format!("index {} of {}", declaration.name, self.name);
                let (column, field_type) = self
                    .column(name)
                    .ok_or_else(|| format!("{}: {name} is not a declared field", place()))?;
                match field_type {
                    FieldType::Json | FieldType::Texts | FieldType::Words => Err(format!(
                        "{}: {name} is {}, which has no order",
                        place(),
                        field_type.name()
                    )),
                    FieldType::Text if self.is_long(name) => Err(format!(
                        "{}: {name} takes more than {MAX_TEXT_FIELD_BYTES} bytes, which an index \
                         by order does not",
                        place()
                    )),
                    _ => Ok((column.to_owned(), field.starts_with('-'))),
                }
            })
            .collect::<Result<_, _>>()?;
        let only = declaration.only.iter().map(|(name, values)| {
            OneOf::new(self, name, values)
                .map_err(|fault| format!("index {} of {}: {fault}", declaration.name, self.name))
        });
        Ok(Index {
            name: declaration.name.clone(),
            physical_name: self.index_name(declaration),
            // A document without the one field of a unique index does not count in it.
            sparse: declaration.sparse || (declaration.unique && declaration.fields.len() == 1),
            columns,
            unique: declaration.unique,
            lookup: declaration.lookup,
            only: only.collect::<Result<_, _>>()?,
        })
    }

    fn is_long(&self, name: &str) -> bool {
        let mut long = self.fields.iter().filter(|field| field.max_bytes > MAX_TEXT_FIELD_BYTES);
        long.any(|field| field.name == name)
    }

    fn contains_index(&self, declaration: &IndexDeclaration) -> Result<ContainsIndex, String> {
        let place = || format!("index {} of {}", declaration.name, self.name);
        let name = declaration.contains.concat();
        let field = self.fields.iter().find(|field| field.name == name);
        let field = field.ok_or_else(|| format!("{}: {name} is not a declared field", place()))?;
        match field.field_type {
            FieldType::Texts | FieldType::Json => Ok(ContainsIndex {
                name: declaration.name.clone(),
                physical_name: self.index_name(declaration),
                column: field.column.clone(),
                field_type: field.field_type,
            }),
            other => Err(format!(
                "{}: {name} is {}; contains takes text[] or json",
                place(),
                other.name()
            )),
        }
    }

    /// `SQLite` names a violated index by its columns.
    fn refuse_same_unique_columns(&self) -> Result<(), String> {
        for (place, index) in self.indexes.iter().enumerate().filter(|(_, index)| index.unique) {
            let columns = |index: &Index| -> Vec<String> {
                index.columns.iter().map(|(column, _)| column.clone()).collect()
            };
            let mut before = self.indexes[..place].iter().filter(|index| index.unique);
            if let Some(other) = before.find(|other| columns(other) == columns(index)) {
                return Err(format!(
                    "index {} of {}: the unique index {} has the same fields",
                    index.name, self.name, other.name
                ));
            }
        }
        Ok(())
    }
}

const MICROSECONDS_OF_A_DAY: i64 = 86_400_000_000;

/// A number for all of a declaration on which the columns of a row depend. A write puts it into the
/// row, so that a change of the schema knows which rows it still has to fill, and `PostgreSQL`
/// refuses the writes of gateways that still go by another declaration.
fn layout(declaration: &CollectionDeclaration) -> i32 {
    let mut fields: Vec<String> = declaration
        .fields
        .0
        .iter()
        .map(|field| format!("{} {} {:?}", field.name, field.field_type.name(), field.paths))
        .collect();
    let searches = declaration.indexes.iter().filter(|index| !index.search.is_empty());
    fields.extend(searches.map(|index| format!("#{} {:?}", index.name, index.search)));
    fields.sort_unstable();
    let (version, expires) = (declaration.schema_version, declaration.expires());
    let digest = digest(&format!("{FORMAT} {version} {expires} {fields:?}"));
    i32::from_be_bytes([digest[0] >> 1, digest[1], digest[2], digest[3]])
}

/// Grows when the gateway itself fills the columns of a row in another way: all rows are filled
/// anew then.
const FORMAT: u32 = 1;

fn digest(text: &str) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(text.as_bytes()).into()
}

/// Tells definitions apart in names of the database.
pub(super) fn short_digest(definition: &str) -> String {
    hexadecimal(&digest(definition)[..4])
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A limit on the length makes sense for a text alone.
fn refuse_long_values(declaration: &CollectionDeclaration) -> Result<(), String> {
    let mut limited = declaration.fields.0.iter().filter(|field| field.max_bytes.is_some());
    match limited.find(|field| field.field_type != FieldType::Text) {
        Some(field) => Err(format!(
            "field {} of {}: {} takes no max_bytes",
            field.name,
            declaration.name,
            field.field_type.name()
        )),
        None => Ok(()),
    }
}

/// `PostgreSQL` cuts identifiers at this many bytes.
const MAX_IDENTIFIER_BYTES: usize = 63;
/// Three underscores and the 16 digits that tell cut names apart.
const CUT_SUFFIX_BYTES: usize = 19;

/// Join checked names to an identifier. Names hold no double underscore, so two different lists
/// never give the same identifier; one that is too long is cut and told apart by a digest.
pub(super) fn physical_name(parts: &[&str]) -> String {
    let name = parts.join("__");
    if name.len() <= MAX_IDENTIFIER_BYTES {
        return name;
    }
    let suffix = hexadecimal(&digest(&name)[..8]);
    format!("{}___{suffix}", &name[..MAX_IDENTIFIER_BYTES - CUT_SUFFIX_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_stay_distinct() {
        let long = "a".repeat(60);
        let one = physical_name(&[&long, "session_one"]);
        let two = physical_name(&[&long, "session_two"]);
        assert_eq!((one.len(), two.len()), (63, 63));
        assert_ne!(one, two);
    }

    #[test]
    fn a_short_name_is_readable() {
        assert_eq!(physical_name(&["chat_sessions", "session"]), "chat_sessions__session");
    }
}
