//! Which operation of which plugin a request is for, decided on the raw path: percent-encoding
//! is undone afterwards, so that an encoded slash or colon belongs to a value.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};

use super::body::RequestBody;
use super::parameter::Parameters;
use super::problem::Problem;
use crate::config::Limits;
use crate::manifest::OperationDeclaration;
use crate::plugin::Plugin;

/// All routes of all plugins.
pub(super) struct Router(matchit::Router<BTreeMap<String, Arc<Route>>>);

/// One operation with everything that is worked out before the first request.
pub(super) struct Route {
    pub(super) plugin: Arc<Plugin>,
    pub(super) operation: OperationDeclaration,
    pub(super) parameters: Parameters,
    /// `None` where it takes none.
    pub(super) body: Option<RequestBody>,
    pub(super) limits: RouteLimits,
}

/// The limits of one operation: what its manifest asks for, or the default.
#[derive(Clone, Copy, Debug)]
pub(super) struct RouteLimits {
    pub(super) body_bytes: usize,
    pub(super) document_bytes: usize,
    pub(super) response_bytes: usize,
    pub(super) request_ms: u64,
}

/// What a path has matched.
pub(super) struct Matched {
    pub(super) route: Arc<Route>,
    /// Still percent-encoded, in the order of the template.
    pub(super) path_params: Vec<String>,
}

impl Router {
    /// Lay out the routes of these plugins.
    ///
    /// # Errors
    /// Two operations that one request would match, a parameter's schema that is none, or a limit
    /// above the ceiling.
    pub(super) fn new(plugins: &[Arc<Plugin>], limits: &Limits) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut methods: BTreeMap<String, BTreeMap<String, Arc<Route>>> = BTreeMap::new();
        for plugin in plugins {
            for operation in &plugin.manifest().operations {
                let name = format!("{}: operation {}", plugin.manifest().name, operation.name);
                match Route::new(plugin, operation, limits) {
                    Ok(route) => {
                        let path = format!("/v1/{}{}", plugin.manifest().name, operation.path);
                        let of_path = methods.entry(path).or_default();
                        if of_path.insert(operation.method.clone(), Arc::new(route)).is_some() {
                            faults.push(format!("{name}: another has this method and path"));
                        }
                    }
                    Err(why) => faults.push(format!("{name}: {why}")),
                }
            }
        }
        let mut router = matchit::Router::new();
        for (path, methods) in methods {
            if let Err(error) = router.insert(path.as_str(), methods) {
                faults.push(format!("{path}: {error}"));
            }
        }
        if faults.is_empty() { Ok(Self(router)) } else { Err(faults) }
    }

    /// The route of a request. HEAD is answered by GET.
    pub(super) fn find(&self, method: &Method, path: &str) -> Result<Matched, Problem> {
        let Ok(matched) = self.0.at(path) else {
            return Err(Problem::new(
                StatusCode::NOT_FOUND,
                "no-such-route",
                format!("no plugin has a route for {path}"),
            ));
        };
        let method = if method == Method::HEAD { "GET" } else { method.as_str() };
        let Some(route) = matched.value.get(method) else {
            let allow = allow(matched.value);
            let detail = format!("{method} is not possible here; possible are {allow}");
            let problem =
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail);
            let allow = HeaderValue::from_str(&allow).unwrap_or(HeaderValue::from_static("GET"));
            return Err(problem.header(ALLOW, allow));
        };
        let path_params = matched.params.iter().map(|(_, value)| value.to_owned()).collect();
        Ok(Matched { route: Arc::clone(route), path_params })
    }
}

fn allow(methods: &BTreeMap<String, Arc<Route>>) -> String {
    let mut allowed: Vec<&str> = methods.keys().map(String::as_str).collect();
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    allowed.push("OPTIONS");
    allowed.join(", ")
}

impl Route {
    fn new(
        plugin: &Arc<Plugin>,
        operation: &OperationDeclaration,
        limits: &Limits,
    ) -> Result<Self, String> {
        Ok(Self {
            plugin: Arc::clone(plugin),
            parameters: Parameters::new(operation)?,
            body: operation.request.as_ref().map(RequestBody::new).transpose()?,
            limits: RouteLimits::new(operation, limits)?,
            operation: operation.clone(),
        })
    }
}

impl RouteLimits {
    fn new(operation: &OperationDeclaration, limits: &Limits) -> Result<Self, String> {
        let (asked, ceiling) = (&operation.limits, &limits.ceiling);
        Ok(Self {
            body_bytes: within(
                "body_bytes",
                asked.body_bytes,
                limits.body_bytes,
                ceiling.body_bytes,
            )?,
            document_bytes: within(
                "document_bytes",
                asked.document_bytes,
                limits.document_bytes,
                ceiling.document_bytes,
            )?,
            response_bytes: within(
                "response_bytes",
                asked.response_bytes,
                limits.response_bytes,
                ceiling.response_bytes,
            )?,
            request_ms: within(
                "request_ms",
                asked.request_ms,
                limits.request_ms,
                ceiling.request_ms,
            )?,
        })
    }
}

/// What an operation asks for, if the operator allows so much; else the default.
fn within<T: Copy + PartialOrd + std::fmt::Display>(
    name: &str,
    asked: Option<T>,
    default: T,
    ceiling: T,
) -> Result<T, String> {
    match asked {
        Some(asked) if asked > ceiling => Err(format!(
            "it asks for {name} = {asked}, and limits.ceiling.{name} is {ceiling}; raise the ceiling"
        )),
        Some(asked) => Ok(asked),
        None => Ok(default),
    }
}
