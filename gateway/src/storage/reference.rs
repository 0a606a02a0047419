//! References: fields that hold the id of another document of the same tenant and plugin.
//!
//! The databases hold them: a foreign key on `PostgreSQL`, triggers on `SQLite`, where a key could
//! not be added to a table that exists. Both look at the end of each statement.

use std::collections::{HashMap, HashSet};

use super::collection::{Collection, physical_name, short_digest};
use crate::manifest::{FieldType, OnDelete, ReferenceDeclaration};

/// A declared reference with its physical names.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Its name in the manifest.
    pub name: String,
    /// Its name in the database.
    pub physical_name: String,
    /// The column that holds the id.
    pub column: String,
    /// The collection that is referred to.
    pub collection: String,
    /// Its table.
    pub table: String,
    /// What happens when that document is deleted.
    pub on_delete: OnDelete,
}

/// A reference as the collection that is referred to sees it.
#[derive(Clone, Debug)]
pub struct IncomingReference {
    /// Its name in the manifest, behind the collection's that declares it.
    pub name: String,
    /// Its name in the database.
    pub physical_name: String,
}

/// Put the declared references into the collections.
///
/// # Errors
/// All faults, each in a line.
pub(super) fn resolve(
    collections: &mut [Collection],
    declared: &[(String, &[ReferenceDeclaration])],
) -> Vec<String> {
    let known: HashMap<String, Collection> =
        collections.iter().map(|c| (c.name.clone(), c.clone())).collect();
    let mut faults = Vec::new();
    for (owner, declarations) in declared {
        for declaration in *declarations {
            match reference(&known, owner, declaration) {
                Ok(reference) => attach(collections, owner, reference),
                Err(fault) => {
                    faults.push(format!("reference {} of {owner}: {fault}", declaration.name))
                }
            }
        }
    }
    faults.extend(ambiguous(collections));
    faults.extend(held_back(collections));
    faults
}

fn reference(
    known: &HashMap<String, Collection>,
    owner: &str,
    declaration: &ReferenceDeclaration,
) -> Result<Reference, String> {
    let ReferenceDeclaration { name, field, collection, on_delete } = declaration;
    let child = known.get(owner).ok_or("its collection has faults of its own")?;
    let parent = known
        .get(collection)
        .ok_or_else(|| format!("{collection} is not a collection of this plugin"))?;
    if parent.expires {
        return Err(format!(
            "documents of {collection} may expire, and a reference to one could not hold"
        ));
    }
    let declared = child.fields.iter().find(|known| known.name == *field);
    let column = match declared {
        Some(declared) if declared.field_type == FieldType::Text => declared.column.clone(),
        Some(declared) => {
            let found = declared.field_type.name();
            return Err(format!("{field} is {found}; the field of a reference is text"));
        }
        None => return Err(format!("{field} is not a declared field")),
    };
    // A reference that is declared otherwise is another reference.
    let definition = short_digest(&format!("{field} {collection} {on_delete:?}"));
    Ok(Reference {
        name: name.clone(),
        physical_name: physical_name(&[&child.table, "ref", "", name, &definition]),
        column,
        collection: collection.clone(),
        table: parent.table.clone(),
        on_delete: *on_delete,
    })
}

fn attach(collections: &mut [Collection], owner: &str, reference: Reference) {
    let incoming = IncomingReference {
        name: format!("{owner}.{}", reference.name),
        physical_name: reference.physical_name.clone(),
    };
    for collection in collections {
        if collection.name == reference.collection {
            collection.referenced_by.push(incoming.clone());
        }
        if collection.name == owner {
            collection.references.push(reference.clone());
        }
    }
}

/// A document that holds another back, while both would go with a third: whether the third can be
/// deleted would depend on which of them a database deletes first.
fn ambiguous(collections: &[Collection]) -> Vec<String> {
    let mut faults = Vec::new();
    for child in collections {
        let with_child = deleted_with(collections, child);
        for reference in child.references.iter().filter(|r| r.on_delete == OnDelete::Restrict) {
            let parent = collections.iter().find(|c| c.name == reference.collection);
            let with_parent = parent.map(|p| deleted_with(collections, p)).unwrap_or_default();
            if let Some(both) = with_parent.intersection(&with_child).min() {
                faults.push(format!(
                    "reference {} of {}: both {} and {} are deleted with {both}, so this one \
                     cannot restrict; let it cascade",
                    reference.name, child.name, child.name, reference.collection
                ));
            }
        }
    }
    faults
}

/// A document that may not be deleted while the sweeper has to delete it, or one that takes it along.
fn held_back(collections: &[Collection]) -> Vec<String> {
    let mut faults = Vec::new();
    for child in collections {
        for reference in child.references.iter().filter(|r| r.on_delete == OnDelete::Restrict) {
            let parent = collections.iter().find(|c| c.name == reference.collection);
            let mut swept = parent.map(|p| deleted_with(collections, p)).unwrap_or_default();
            swept.insert(reference.collection.clone());
            let kept = collections.iter().filter(|c| c.retention.is_some());
            if let Some(kept) = kept.map(|c| &c.name).find(|name| swept.contains(*name)) {
                faults.push(format!(
                    "reference {} of {}: documents of {kept} are deleted after their retention, \
                     so this one cannot restrict; let it cascade",
                    reference.name, child.name
                ));
            }
        }
    }
    faults
}

/// The collections whose documents take one of this collection with them.
pub(super) fn deleted_with(collections: &[Collection], collection: &Collection) -> HashSet<String> {
    let mut found = HashSet::new();
    let mut rest = vec![collection.name.clone()];
    while let Some(name) = rest.pop() {
        let of = collections.iter().find(|c| c.name == name);
        let cascading = of.into_iter().flat_map(|c| &c.references);
        for reference in cascading.filter(|r| r.on_delete == OnDelete::Cascade) {
            if found.insert(reference.collection.clone()) {
                rest.push(reference.collection.clone());
            }
        }
    }
    found
}

/// The rank of each collection: those that others refer to come first. In a circle, the order of
/// names decides.
pub(super) fn ranks(collections: &[Collection]) -> HashMap<String, usize> {
    let mut left: Vec<&Collection> = collections.iter().collect();
    left.sort_by(|a, b| a.name.cmp(&b.name));
    let mut ranks = HashMap::new();
    while !left.is_empty() {
        let free = left.iter().position(|collection| {
            let outside = |r: &&Reference| r.collection != collection.name;
            collection.references.iter().filter(outside).all(|r| ranks.contains_key(&r.collection))
        });
        let next = left.remove(free.unwrap_or(0));
        ranks.insert(next.name.clone(), ranks.len());
    }
    ranks
}
