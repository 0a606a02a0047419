//! From what is declared, what was applied and what the catalog says to what is to be done.
//!
//! The catalog decides what is made and dropped, so that a change that was stopped goes on; the
//! applied manifest decides what it means, and whether it needs a permission.

use std::collections::HashMap;

use super::super::collection::{Collection, Field};
use super::super::ddl::{self, Column, Command, Declared, Object, ObjectKind};
use super::super::reference;
use super::super::schema::CollectionPlan;
use super::super::statement::Dialect;
use super::state::{Applied, Catalog, Existing};
use super::step::{Step, StepKind};
use super::{InstallOptions, Work};
use crate::config::Permission;
use crate::manifest::{CollectionDeclaration, FieldType, Manifest};

/// What is to be done for one collection that is declared.
#[derive(Debug, Default)]
pub(super) struct CollectionChange {
    /// Its name.
    pub(super) collection: String,
    /// The table does not exist.
    pub(super) is_new: bool,
    /// The table has the columns in which rows say how they were filled.
    pub(super) has_own_columns: bool,
    pub(super) drop_columns: Vec<String>,
    pub(super) add_columns: Vec<Column>,
    /// Fill the columns of all rows that another declaration has filled.
    pub(super) fill: bool,
    /// Bodies may be of an older form.
    pub(super) upgrade: bool,
    /// Times to live go.
    pub(super) clear_expiry: bool,
    pub(super) create: Vec<Object>,
    /// What is not declared, or is not whole.
    pub(super) drop: Vec<Dropped>,
}

/// Something beside a table that goes.
#[derive(Debug)]
pub(super) struct Dropped {
    name: String,
    /// What the applied manifest has said of it. `None` for what was left by a change that was
    /// stopped.
    declared: Option<Declared>,
    /// One of its name is made instead.
    is_made_again: bool,
    /// It would be in the way. Else it stays until its successor is there.
    pub(super) goes_first: bool,
    pub(super) commands: Vec<Command>,
}

/// The tables that a plugin has, had, or is to have.
pub(super) fn tables(manifest: &Manifest, applied: &Applied) -> Vec<String> {
    let manifests = [Some(manifest), applied.manifest.as_ref()];
    let tables = manifests.into_iter().flatten().flat_map(|manifest| {
        let collections = manifest.collections.iter();
        collections.filter_map(|c| Collection::new(&manifest.name, c).ok()).map(|c| c.table)
    });
    tables.collect()
}

/// The collections of a manifest, as far as they can be made sense of.
fn collections(manifest: &Manifest) -> Vec<Collection> {
    let declared = &manifest.collections;
    let mut collections: Vec<Collection> =
        declared.iter().filter_map(|c| Collection::new(&manifest.name, c).ok()).collect();
    let references: Vec<_> =
        declared.iter().map(|c| (c.name.clone(), c.references.as_slice())).collect();
    // It was applied, so it had no faults then.
    reference::resolve(&mut collections, &references);
    collections
}

/// Fill in the plan and the work.
pub(super) fn compare(
    work: &mut Work<'_>,
    dialect: Dialect,
    manifest: &Manifest,
    applied: &Applied,
    catalog: &Catalog,
) {
    let old = applied.manifest.as_ref().map(collections).unwrap_or_default();
    let plans: Vec<&CollectionPlan> = manifest
        .collections
        .iter()
        .filter_map(|declaration| work.schema.collections.get(&declaration.name))
        .collect();
    let objects = Objects::new(&manifest.name, &plans, &old, applied, catalog, dialect);
    for plan in plans {
        let name = &plan.collection.name;
        let schema_version = |manifest: &Option<Manifest>| {
            find(manifest.as_ref(), name).map(|declaration| declaration.schema_version)
        };
        let newest = schema_version(&applied.manifest).max(schema_version(&applied.pending));
        let comparison = Comparison {
            declared: &plan.collection,
            old: old.iter().find(|collection| collection.name == *name),
            newest,
            unfinished: applied.pending.is_some(),
            options: work.options,
        };
        let change = match catalog.tables.get(&plan.collection.table) {
            None => {
                work.plan.steps.push(Step::new(StepKind::AddCollection, name, ""));
                comparison.new_table(dialect)
            }
            Some(columns) => comparison.existing(dialect, columns, &objects, &mut work.plan.steps),
        };
        work.changes.push(change);
    }
    dropped(work, manifest, &old, catalog);
}

fn find<'a>(manifest: Option<&'a Manifest>, name: &str) -> Option<&'a CollectionDeclaration> {
    manifest?.collections.iter().find(|collection| collection.name == name)
}

/// Collections that are declared no more.
fn dropped(work: &mut Work<'_>, manifest: &Manifest, old: &[Collection], catalog: &Catalog) {
    for collection in old {
        let is_declared = find(Some(manifest), &collection.name).is_some();
        if is_declared || !catalog.tables.contains_key(&collection.table) {
            continue;
        }
        let step = Step::new(StepKind::DropCollection, &collection.name, "").needs(
            Permission::DropCollection,
            &work.options.allow,
            "its documents would be lost",
        );
        work.plan.steps.push(step);
        work.dropped_tables.push(collection.table.clone());
    }
}

/// What stands beside all tables of the plugin, and what is to stand there.
struct Objects<'a> {
    prefix: String,
    wanted: Vec<(&'a str, Object)>,
    /// By the applied manifest, and by that of a change that was stopped.
    known: Vec<(Object, bool)>,
    catalog: &'a Catalog,
    dialect: Dialect,
}

impl<'a> Objects<'a> {
    fn new(
        plugin: &str,
        plans: &[&'a CollectionPlan],
        old: &[Collection],
        applied: &Applied,
        catalog: &'a Catalog,
        dialect: Dialect,
    ) -> Self {
        let wanted = plans.iter().flat_map(|plan| {
            let objects = ddl::objects(&plan.collection, dialect);
            objects.into_iter().map(|object| (plan.collection.name.as_str(), object))
        });
        let pending = applied.pending.as_ref().map(collections).unwrap_or_default();
        let of = |collections: &[Collection], was_applied: bool| {
            let objects = collections.iter().flat_map(|c| ddl::objects(c, dialect));
            objects.map(|object| (object, was_applied)).collect::<Vec<_>>()
        };
        Self {
            prefix: Collection::name_prefix(plugin),
            wanted: wanted.collect(),
            known: [of(old, true), of(&pending, false)].concat(),
            catalog,
            dialect,
        }
    }

    /// What is to be made for a collection.
    fn missing(&self, collection: &str) -> Vec<Object> {
        let of_it = self.wanted.iter().filter(|(name, _)| *name == collection);
        of_it.map(|(_, object)| object).filter(|object| !self.is_whole(object)).cloned().collect()
    }

    fn is_whole(&self, object: &Object) -> bool {
        let existing = self.catalog.objects.get(&(object.kind, object.name.clone()));
        existing.is_some_and(|existing| existing.is_whole)
    }

    /// What is to go from a table.
    fn unwanted(&self, table: &str) -> Vec<Dropped> {
        let on_it = self.catalog.objects.iter().filter(|(_, existing)| existing.table == table);
        let mut dropped: Vec<Dropped> = on_it
            .filter_map(|((kind, name), existing)| self.dropped(*kind, name, existing))
            .collect();
        dropped.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        dropped
    }

    /// Indexes and keys are told by their names, so that none is left, whatever has happened.
    /// Triggers are not: those of counts have such names, too. What an operator has made stays.
    fn dropped(&self, kind: ObjectKind, name: &str, existing: &Existing) -> Option<Dropped> {
        let is_it = |object: &Object| object.kind == kind && object.name == name;
        let wanted = self.wanted.iter().map(|(_, object)| object).find(|object| is_it(object));
        if wanted.is_some() && existing.is_whole {
            return None;
        }
        let known = self.known.iter().find(|(object, _)| is_it(object));
        let object = wanted.or(known.map(|(object, _)| object));
        let is_ours = kind != ObjectKind::Trigger && name.starts_with(&self.prefix);
        if object.is_none() && !is_ours {
            return None;
        }
        let was_applied = known.filter(|(_, was_applied)| *was_applied);
        Some(Dropped {
            name: name.to_owned(),
            declared: was_applied.map(|(object, _)| object.declared.clone()),
            is_made_again: wanted.is_some(),
            goes_first: wanted.is_some(),
            commands: object.map_or_else(
                || vec![kind.drop(name, &existing.table, self.dialect)],
                |object| object.drop.clone(),
            ),
        })
    }
}

/// One collection as it is declared and as it was applied.
struct Comparison<'a> {
    declared: &'a Collection,
    /// `None` where a table is there that no applied manifest declares.
    old: Option<&'a Collection>,
    /// The newest schema version that documents can have.
    newest: Option<u32>,
    /// A change to something else was begun, and any part of it may be done.
    unfinished: bool,
    options: &'a InstallOptions,
}

impl Comparison<'_> {
    fn new_table(&self, dialect: Dialect) -> CollectionChange {
        CollectionChange {
            collection: self.declared.name.clone(),
            is_new: true,
            create: ddl::objects(self.declared, dialect),
            ..CollectionChange::default()
        }
    }

    fn existing(
        &self,
        dialect: Dialect,
        columns: &HashMap<String, String>,
        objects: &Objects<'_>,
        steps: &mut Vec<Step>,
    ) -> CollectionChange {
        let mut change = CollectionChange {
            collection: self.declared.name.clone(),
            has_own_columns: columns.contains_key(ddl::LAYOUT_COLUMN),
            ..CollectionChange::default()
        };
        self.compare_expiry(&mut change, steps);
        self.compare_columns(dialect, columns, &mut change, steps);
        self.compare_bodies(&mut change, steps);
        self.compare_objects(objects, &mut change, steps);
        change
    }

    fn step(&self, kind: StepKind, name: &str) -> Step {
        Step::new(kind, &self.declared.name, name)
    }

    fn compare_expiry(&self, change: &mut CollectionChange, steps: &mut Vec<Step>) {
        let could_expire = self.old.is_none_or(|old| old.expires);
        change.clear_expiry = could_expire && !self.declared.expires;
        let Some(old) = self.old else {
            return;
        };
        match (old.expires, self.declared.expires) {
            (true, false) => steps.push(self.step(StepKind::DropExpiry, "")),
            (false, true) => steps.push(self.step(StepKind::StartExpiry, "")),
            _ if old.default_ttl_us != self.declared.default_ttl_us => {
                steps.push(self.step(StepKind::ChangeTtl, ""));
            }
            _ => {}
        }
    }

    fn compare_columns(
        &self,
        dialect: Dialect,
        columns: &HashMap<String, String>,
        change: &mut CollectionChange,
        steps: &mut Vec<Step>,
    ) {
        let wanted = ddl::columns(self.declared, dialect);
        let mut left: Vec<&String> = columns
            .keys()
            .filter(|name| Field::is_column(name) && wanted.iter().all(|w| w.name != **name))
            .collect();
        left.sort_unstable();
        for name in left {
            // The words of an index go with it.
            if !name.starts_with("w__") {
                steps.push(self.drop_field(name));
            }
            change.drop_columns.push(name.clone());
        }
        for column in wanted {
            match columns.get(&column.name) {
                Some(physical_type) if physical_type == column.physical_type => continue,
                Some(_) => change.drop_columns.push(column.name.clone()),
                None => {}
            }
            change.add_columns.push(column);
        }
        let declared = self.declared.fields.iter();
        let declared = declared.filter(|field| field.field_type != FieldType::Words);
        steps.extend(declared.filter_map(|field| self.compare_field(field)));
    }

    /// A column that a stopped change has left behind goes without a question.
    fn drop_field(&self, column: &str) -> Step {
        let old =
            self.old.into_iter().flat_map(|old| &old.fields).find(|field| field.column == column);
        match old {
            Some(field) => self.step(StepKind::DropField, &field.name).needs(
                Permission::DropField,
                &self.options.allow,
                "statements could name it no more; the bodies keep the member",
            ),
            None => self.step(StepKind::DropField, column.trim_start_matches("f__")).detail(LEFT),
        }
    }

    fn compare_field(&self, field: &Field) -> Option<Step> {
        let allow = &self.options.allow;
        let old =
            self.old.into_iter().flat_map(|old| &old.fields).find(|old| old.name == field.name);
        let Some(old) = old else {
            let detail = field.field_type.name();
            return Some(self.step(StepKind::AddField, &field.name).detail(detail));
        };
        if old.field_type != field.field_type {
            let detail = format!("{} to {}", old.field_type.name(), field.field_type.name());
            let step = self.step(StepKind::ChangeType, &field.name).detail(detail);
            let reason = "gateways that serve the older plugin could not use it";
            return Some(step.needs(Permission::ChangeType, allow, reason));
        }
        if old.paths != field.paths {
            let detail = format!("{} to {}", old.paths.join(" or "), field.paths.join(" or "));
            let step = self.step(StepKind::ChangePath, &field.name).detail(detail);
            let reason = "statements would find other values in it";
            return Some(step.needs(Permission::ChangePath, allow, reason));
        }
        None
    }

    fn compare_bodies(&self, change: &mut CollectionChange, steps: &mut Vec<Step>) {
        let declared = self.declared;
        let newest = self.newest.unwrap_or(declared.schema_version);
        if newest > declared.schema_version {
            let mut step = self.step(StepKind::Downgrade, "");
            let reason = format!(
                "its documents have the schema version {newest}, and this plugin knows {} only; \
                 serve the newer plugin",
                declared.schema_version
            );
            step.refuse(reason, super::Culprits::default());
            return steps.push(step);
        }
        let is_filled = self.old.is_some_and(|old| old.layout == declared.layout);
        change.fill = !is_filled || self.unfinished || !change.has_own_columns;
        change.upgrade = change.fill && declared.schema_version > 1;
        if let Some(old) = self.old
            && old.schema_version < declared.schema_version
        {
            let detail = format!("{} to {}", old.schema_version, declared.schema_version);
            steps.push(self.step(StepKind::Upgrade, "").detail(detail));
        } else if change.fill {
            steps.push(self.step(StepKind::FillFields, ""));
        }
    }

    fn compare_objects(
        &self,
        objects: &Objects<'_>,
        change: &mut CollectionChange,
        steps: &mut Vec<Step>,
    ) {
        for mut dropped in objects.unwanted(&self.declared.table) {
            if !dropped.is_made_again {
                match &dropped.declared {
                    Some(Declared::Index(name)) => steps.push(self.step(StepKind::DropIndex, name)),
                    Some(Declared::Reference(name)) => {
                        steps.push(self.step(StepKind::DropReference, name));
                    }
                    Some(Declared::Own) => {}
                    None => {
                        steps.push(self.step(StepKind::DropIndex, &dropped.name).detail(LEFT));
                    }
                }
            }
            dropped.goes_first |= change.fill || !change.drop_columns.is_empty();
            change.drop.push(dropped);
        }
        for object in objects.missing(&self.declared.name) {
            match &object.declared {
                Declared::Index(name) => steps.push(self.step(StepKind::AddIndex, name)),
                Declared::Reference(name) => steps.push(self.step(StepKind::AddReference, name)),
                Declared::Own => {}
            }
            change.create.push(object);
        }
    }
}

/// Of a step that undoes what no applied manifest has declared.
const LEFT: &str = "left by a change that was not finished";

impl CollectionChange {
    /// Its plan.
    pub(super) fn plan<'a>(&self, work: &Work<'a>) -> Option<&'a CollectionPlan> {
        work.schema.collections.get(&self.collection)
    }
}
