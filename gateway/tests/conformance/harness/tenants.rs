//! Tenants with keys, and requests that send one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use loggia::config::{Config, Key, Role, Roles, Tenant};
use loggia::tenant::{Digest, generate};
use serde_json::Value;

use super::client::Answer;
use super::gateway::TestGateway;

/// The key of this name, the same in the whole process.
pub(crate) fn key(name: &str) -> String {
    static KEYS: Mutex<Option<HashMap<String, String>>> = Mutex::new(None);
    let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    keys.get_or_insert_default().entry(name.to_owned()).or_insert_with(generate).clone()
}

/// How `gateway.toml` has the key of this name.
pub(crate) fn configured(name: &str, roles: Roles) -> Key {
    let sha256 = Digest::of_key(&key(name)).unwrap().to_string();
    Key { name: name.to_owned(), sha256, roles }
}

/// Add a tenant whose key, of the tenant's own name, may do everything.
pub(crate) fn add<'a>(config: &'a mut Config, name: &str) -> &'a mut Tenant {
    let keys = vec![configured(name, Roles::Everywhere(vec![Role::Admin]))];
    let tenant = Tenant { keys, ..Tenant::default() };
    config.tenants.entry(name.to_owned()).or_insert(tenant)
}

/// Requests with one key.
#[derive(Clone, Debug)]
pub(crate) struct Client<'a> {
    gateway: &'a TestGateway,
    authorization: String,
}

impl TestGateway {
    /// Who has the key of this name.
    pub(crate) fn with_key(&self, name: &str) -> Client<'_> {
        Client { gateway: self, authorization: format!("Bearer {}", key(name)) }
    }
}

impl Client<'_> {
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut all = vec![("authorization", self.authorization.as_str())];
        all.extend(headers);
        self.gateway.send(method, path, &all, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send("POST", path, &[], "").await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        let json = ("content-type", "application/json");
        self.send("PUT", path, &[json], body.to_string()).await
    }
}
