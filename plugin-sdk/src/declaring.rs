//! What a declaration in [`declare!`](crate::declare) begins with.

use crate::storage::{Collection, Delete, Scope, Select, Update};

/// A collection of this name: lower-case words with underscores between them.
#[must_use]
pub const fn collection<T>(name: &'static str) -> Collection<T> {
    Collection::new(name)
}

/// A query.
#[must_use]
pub const fn select<A, R>(name: &'static str, sql: &'static str) -> Select<A, R> {
    Select::new(name, sql)
}

/// A change to documents of a collection.
#[must_use]
pub const fn update<A, T>(name: &'static str, collection: &'static str) -> Update<A, T> {
    Update::new(name, collection)
}

/// What deletes documents of a collection.
#[must_use]
pub const fn delete<A>(name: &'static str, collection: &'static str) -> Delete<A> {
    Delete::new(name, collection)
}

/// A named set of one collection's documents.
#[must_use]
pub const fn scope<A>(name: &'static str, collection: &'static str) -> Scope<A> {
    Scope::new(name, collection)
}
