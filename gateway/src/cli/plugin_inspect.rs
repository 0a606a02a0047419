//! `loggia plugin inspect`: what a component declares and imports, for people or as JSON. Nothing
//! is served and no database is touched.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::build::Profile;
use super::component::{Engine, component_at, describe_component, imports};
use crate::manifest::{
    CollectionDeclaration, Manifest, OperationDeclaration, StatementDeclaration,
};
use crate::storage::Schema;
use crate::storage::statement::Dialect;

/// How it is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// A page.
    Text,
    /// A page with each statement as both databases get it.
    TextWithSql,
    Json,
}

/// What is known of a component.
struct Inspected {
    manifest: Manifest,
    /// As it was declared.
    declared: Value,
    bytes: usize,
    sha256: String,
    imports: Vec<String>,
    /// Texts of statements for a database, by the statement's name.
    sql: [(&'static str, Vec<(String, String)>); 2],
}

/// Print it.
pub(super) fn run(path: &Path, form: Form) -> anyhow::Result<()> {
    let inspected = inspect(&component_at(path, Profile::Release)?)?;
    match form {
        Form::Json => println!("{:#}", inspected.json()),
        Form::Text | Form::TextWithSql => inspected.print(form),
    }
    Ok(())
}

fn inspect(component: &[u8]) -> anyhow::Result<Inspected> {
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let described = executor.block_on(describe_component(&Engine::new()?, component))?;
    let sql = |name, dialect| {
        let schema = Schema::compile(&described.manifest, dialect).map_err(|faults| {
            super::ConfigurationFault(format!("the manifest is not valid:\n{}", faults.join("\n")))
        });
        schema.map(|schema| (name, schema.texts()))
    };
    Ok(Inspected {
        sql: [sql("PostgreSQL", Dialect::Postgres)?, sql("SQLite", Dialect::Sqlite)?],
        declared: serde_json::from_str(&described.text)?,
        bytes: component.len(),
        sha256: Sha256::digest(component).iter().map(|b| format!("{b:02x}")).collect(),
        imports: imports(component)?,
        manifest: described.manifest,
    })
}

impl Inspected {
    fn print(&self, form: Form) {
        let Manifest { name, version, summary, .. } = &self.manifest;
        println!("{name} {version}: {summary}");
        println!("{} bytes, SHA-256 {}", self.bytes, self.sha256);
        println!("\nimports");
        self.imports.iter().for_each(|import| println!("  {import}"));
        println!("\ncollections");
        self.manifest.collections.iter().for_each(print_collection);
        if !self.manifest.counts.is_empty() {
            println!("\ncounts");
        }
        for count in &self.manifest.counts {
            let limit = count.limit.as_ref().map(|name| format!(", at most {name}"));
            let by = count.by.iter().map(|field| format!(", by {field}")).collect::<String>();
            let of = count.collections.join(" and ");
            println!("  {} of {of}{by}{}", count.name, limit.unwrap_or_default());
        }
        println!("\nroutes");
        for operation in &self.manifest.operations {
            let OperationDeclaration { method, path, name: operation_name, .. } = operation;
            let (mode, role) = (operation.mode().name(), operation.role().name());
            println!("  {method:6} /v1/{name}{path}  {operation_name}  {mode}  {role}");
        }
        println!("\nstatements");
        for statement in &self.manifest.statements {
            println!("  {}  {}", statement.name(), kind(statement));
            if form == Form::TextWithSql {
                self.print_sql(statement.name());
            }
        }
    }

    fn print_sql(&self, statement: &str) {
        for (database, texts) in &self.sql {
            for (_, text) in texts.iter().filter(|(name, _)| name == statement) {
                println!("    -- {database}\n    {}", text.replace('\n', "\n    "));
            }
        }
    }

    fn json(&self) -> Value {
        let operations = self.manifest.operations.iter().map(|operation| {
            json!({
                "name": operation.name,
                "method": operation.method,
                "path": format!("/v1/{}{}", self.manifest.name, operation.path),
                "mode": operation.mode().name(),
                "role": operation.role().name(),
            })
        });
        let [postgres, sqlite] = self.sql.each_ref().map(|(_, texts)| texts);
        let texts = |of: &[(String, String)], name: &str| -> Vec<Value> {
            let of_one = of.iter().filter(|(known, _)| known == name);
            of_one.map(|(_, text)| text.as_str().into()).collect()
        };
        let statements = self.manifest.statements.iter().map(|statement| {
            json!({
                "name": statement.name(),
                "kind": kind(statement),
                "postgres": texts(postgres, statement.name()),
                "sqlite": texts(sqlite, statement.name()),
            })
        });
        json!({
            "name": self.manifest.name,
            "version": self.manifest.version,
            "summary": self.manifest.summary,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "imports": self.imports,
            "operations": operations.collect::<Value>(),
            "statements": statements.collect::<Value>(),
            "manifest": self.declared,
        })
    }
}

fn print_collection(collection: &CollectionDeclaration) {
    println!("  {}, schema version {}", collection.name, collection.schema_version);
    for field in &collection.fields.0 {
        let (name, paths) = (&field.name, field.paths.join(" or "));
        println!("    {name} {} at {paths}", field.field_type.name());
    }
    for index in &collection.indexes {
        let kind = if index.unique { "unique index" } else { "index" };
        let of = [&index.fields, &index.contains, &index.search].into_iter().flatten();
        let of: Vec<&str> = of.map(String::as_str).collect();
        println!("    {kind} {} on {}", index.name, of.join(", "));
    }
    for reference in &collection.references {
        println!("    {} refers to {}", reference.field, reference.collection);
    }
}

fn kind(statement: &StatementDeclaration) -> &'static str {
    match statement {
        StatementDeclaration::Select(_) => "select",
        StatementDeclaration::Scope(_) => "scope",
        StatementDeclaration::Update(_) => "update",
        StatementDeclaration::Delete(_) => "delete",
    }
}
