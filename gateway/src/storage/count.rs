//! Declared counts: how many documents there are, kept by triggers with every change of one, so
//! that nothing (a cascade, a sweep, a restore) goes past them. `ddl/count.rs` makes them.
//!
//! On `PostgreSQL` each connection has a row of its own for each key, so that writers do not wait
//! for each other; rows are folded in the background, and a reader adds them up.

use super::collection::{Collection, physical_name};
use super::one_of::OneOf;
use super::statement::Dialect;
use crate::manifest::{CountDeclaration, FieldType};

/// A declared count with its physical names.
#[derive(Clone, Debug)]
pub struct Count {
    /// Its name in the manifest; statements read `count_` and this.
    pub name: String,
    /// The plugin's name, under which its limit is stored.
    pub plugin: String,
    /// Its table.
    pub table: String,
    /// What it counts by: name, column of its table, type.
    pub by: Vec<(String, String, FieldType)>,
    /// What it adds up: name, column of its table.
    pub sums: Vec<(String, String)>,
    /// What it counts.
    pub parts: Vec<CountPart>,
    /// What each document counts for.
    pub unit: Unit,
    /// The setting that limits it.
    pub limit: Option<String>,
}

/// One collection of a count.
#[derive(Clone, Debug)]
pub struct CountPart {
    /// The collection's name.
    pub collection: String,
    /// Its table.
    pub table: String,
    /// Whether its documents may expire.
    pub expires: bool,
    /// Its columns in the order of [`Count::by`].
    pub by: Vec<String>,
    /// What is added up, in the order of [`Count::sums`].
    pub sums: Vec<Addend>,
    /// Which documents count.
    pub conditions: Vec<OneOf>,
    /// The beginning of the names of its triggers.
    pub trigger: String,
}

/// What a document counts for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    /// One.
    Document,
    /// The bytes of its body, as the database writes it.
    BodyByte,
}

/// What an operator may limit of what a tenant stores with a plugin. No setting of a plugin can
/// have such a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StoredLimit {
    /// `stored_documents`
    Documents,
    /// `stored_bytes`
    Bytes,
}

impl StoredLimit {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Documents, Self::Bytes];

    /// Its name in `gateway.toml`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Documents => "stored_documents",
            Self::Bytes => "stored_bytes",
        }
    }

    /// Its name among the limits of counts.
    #[must_use]
    pub fn setting(self) -> &'static str {
        match self {
            Self::Documents => "limits.stored_documents",
            Self::Bytes => "limits.stored_bytes",
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::Documents => Unit::Document,
            Self::Bytes => Unit::BodyByte,
        }
    }
}

/// What a document adds to a sum.
#[derive(Clone, Debug)]
pub enum Addend {
    /// The value of this column; nothing where it is NULL.
    Column(String),
    /// The bytes of its body, as the database writes it.
    BodyBytes,
    /// 1 for each write of it, which nothing takes away again.
    Written,
    /// 1 when it is deleted, unless its time to live was over.
    Deleted,
}

/// What becomes of a row, whose values are added where it comes, and else taken off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// It is inserted, or takes the place of another one.
    Comes,
    /// Another one takes its place, or it has expired.
    Yields,
    /// It is deleted.
    Goes,
}

impl Addend {
    /// The value for a row; `row` is a prefix such as `NEW.`.
    #[must_use]
    pub(super) fn value(&self, row: &str, turn: Turn, dialect: Dialect) -> String {
        match (self, turn, dialect) {
            (Self::Column(column), ..) => format!("coalesce({row}{column}, 0)"),
            (Self::BodyBytes, _, Dialect::Postgres) => format!("octet_length({row}body::text)"),
            (Self::BodyBytes, _, Dialect::Sqlite) => format!("octet_length({row}body)"),
            (Self::Written, Turn::Comes, _) => "1".to_owned(),
            (Self::Deleted, Turn::Goes, _) => {
                let now = clock(dialect);
                format!("CASE WHEN {row}expires_at <= {now} THEN 0 ELSE -1 END")
            }
            (Self::Written | Self::Deleted, ..) => "0".to_owned(),
        }
    }

    /// The column that it depends on.
    #[must_use]
    pub(super) fn column(&self) -> Option<&str> {
        match self {
            Self::Column(column) => Some(column),
            Self::BodyBytes => Some("body"),
            Self::Written => Some("version"),
            Self::Deleted => None,
        }
    }
}

/// The instant, as a trigger can know it.
pub(super) fn clock(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "(extract(epoch FROM clock_timestamp()) * 1000000)::int8",
        Dialect::Sqlite => "loggia_now()",
    }
}

impl Unit {
    /// What a row counts for; `row` is a prefix such as `NEW.`.
    #[must_use]
    pub(super) fn value(self, row: &str, dialect: Dialect) -> String {
        match self {
            Self::Document => "1".to_owned(),
            Self::BodyByte => Addend::BodyBytes.value(row, Turn::Comes, dialect),
        }
    }

    /// The column that it depends on.
    pub(super) fn column(self) -> Option<&'static str> {
        match self {
            Self::Document => None,
            Self::BodyByte => Some("body"),
        }
    }

    /// What one transaction may add while it shares the way to a limit with others.
    pub(super) fn shared_additions(self) -> u32 {
        match self {
            Self::Document => 10,
            Self::BodyByte => 64 << 10,
        }
    }
}

impl Count {
    /// The count of all documents of a collection and of their bytes, which no statement sees: what
    /// statistics are made of. Declared names have no underscore at the front.
    #[must_use]
    pub fn stored(plugin: &str, collection: &Collection) -> Self {
        let table = physical_name(&[&collection.table, "", "stored"]);
        let part = CountPart {
            collection: collection.name.clone(),
            table: collection.table.clone(),
            expires: collection.expires,
            by: Vec::new(),
            sums: vec![Addend::BodyBytes],
            conditions: Vec::new(),
            trigger: physical_name(&[&table, "t"]),
        };
        Self {
            name: format!("_stored_{}", collection.name),
            plugin: plugin.to_owned(),
            sums: vec![("bytes".to_owned(), "bytes".to_owned())],
            unit: Unit::Document,
            limit: None,
            by: Vec::new(),
            parts: vec![part],
            table,
        }
    }

    /// The count of what a tenant stores in all collections of a plugin, which has a limit.
    #[must_use]
    pub fn limited(plugin: &str, collections: &[&Collection], limit: StoredLimit) -> Self {
        let table = physical_name(&[&plugin.replace('-', "_"), "", limit.name()]);
        let part = |collection: &&Collection| CountPart {
            collection: collection.name.clone(),
            table: collection.table.clone(),
            expires: collection.expires,
            by: Vec::new(),
            sums: Vec::new(),
            conditions: Vec::new(),
            trigger: physical_name(&[&table, &collection.name]),
        };
        Self {
            name: format!("_{}", limit.name()),
            plugin: plugin.to_owned(),
            by: Vec::new(),
            sums: Vec::new(),
            parts: collections.iter().map(part).collect(),
            unit: limit.unit(),
            limit: Some(limit.setting().to_owned()),
            table,
        }
    }

    /// Name everything of a declared count.
    ///
    /// # Errors
    /// A collection or a field that is not declared, or one that cannot be counted by or added up.
    pub fn new(
        plugin: &str,
        declaration: &CountDeclaration,
        collections: &[Collection],
    ) -> Result<Self, String> {
        let place = |fault: String| format!("count {}: {fault}", declaration.name);
        let table = physical_name(&[&plugin.replace('-', "_"), "", "count", &declaration.name]);
        let parts = declaration.collections.iter().map(|name| {
            let collection = collections.iter().find(|known| known.name == *name);
            let collection =
                collection.ok_or_else(|| format!("{name} is not a collection of this plugin"))?;
            part(&table, declaration, collection)
        });
        let parts: Vec<CountPart> = parts.collect::<Result<_, _>>().map_err(&place)?;
        let by = by(declaration, collections).map_err(&place)?;
        let sums = declaration.sum.iter().map(|name| (name.clone(), physical_name(&["s", name])));
        Ok(Self {
            name: declaration.name.clone(),
            plugin: plugin.to_owned(),
            sums: sums.collect(),
            unit: Unit::Document,
            limit: declaration.limit.clone(),
            table,
            by,
            parts,
        })
    }

    /// The columns that statements see besides `documents`, each with that of the table: a sum of a
    /// field by `sum_` and its name, `_written` and `_deleted` without the underscore.
    pub(super) fn shown_sums(&self) -> impl Iterator<Item = (String, &str)> {
        self.sums.iter().map(|(name, column)| {
            let shown = name.strip_prefix('_').map(str::to_owned);
            (shown.unwrap_or_else(|| format!("sum_{name}")), column.as_str())
        })
    }

    /// What its table and triggers depend on.
    #[must_use]
    pub fn definition(&self) -> String {
        format!("{self:?}")
    }
}

/// Collections that are counted together must agree on the types.
fn by(
    declaration: &CountDeclaration,
    collections: &[Collection],
) -> Result<Vec<(String, String, FieldType)>, String> {
    let field_type = |name: &str, collection: &str| {
        let collection = collections.iter().find(|known| known.name == collection)?;
        Some(collection.fields.iter().find(|field| field.name == name)?.field_type)
    };
    let of_field = |name: &String| {
        let types: Vec<FieldType> = declaration
            .collections
            .iter()
            .filter_map(|collection| field_type(name, collection))
            .collect();
        match types.as_slice() {
            [first, rest @ ..] if rest.iter().all(|other| other == first) => {
                Ok((name.clone(), physical_name(&["b", name]), *first))
            }
            _ => Err(format!("{name} has different types in the collections")),
        }
    };
    declaration.by.iter().map(of_field).collect()
}

fn part(
    count_table: &str,
    declaration: &CountDeclaration,
    collection: &Collection,
) -> Result<CountPart, String> {
    let column = |name: &String, allowed: &[FieldType], use_: &str| {
        let field = collection.fields.iter().find(|field| field.name == *name);
        let field = field
            .ok_or_else(|| format!("{name} is not a declared field of {}", collection.name))?;
        if allowed.contains(&field.field_type) {
            return Ok(field.column.clone());
        }
        Err(format!("{name} is {}, which cannot be {use_}", field.field_type.name()))
    };
    let by = declaration.by.iter().map(|name| column(name, &COUNTED_BY, "counted by"));
    let sums = declaration.sum.iter().map(|name| match name.as_str() {
        "_written" => Ok(Addend::Written),
        "_deleted" => Ok(Addend::Deleted),
        _ => column(name, &ADDED_UP, "added up").map(Addend::Column),
    });
    let conditions = declaration.conditions.iter();
    let conditions = conditions.map(|(name, listed)| OneOf::new(collection, name, listed));
    Ok(CountPart {
        collection: collection.name.clone(),
        table: collection.table.clone(),
        expires: collection.expires,
        by: by.collect::<Result<_, _>>()?,
        sums: sums.collect::<Result<_, _>>()?,
        conditions: conditions.collect::<Result<_, _>>()?,
        trigger: physical_name(&[count_table, &collection.name]),
    })
}

const COUNTED_BY: [FieldType; 4] =
    [FieldType::Text, FieldType::Integer, FieldType::Boolean, FieldType::Timestamp];

/// Sums of doubles would drift.
const ADDED_UP: [FieldType; 1] = [FieldType::Integer];
