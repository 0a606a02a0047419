//! Which operation of which plugin a request is for, decided on the raw path: percent-encoding
//! is undone afterwards, so that an encoded slash or colon belongs to a value.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};

use super::body::RequestBody;
use super::parameter::Parameters;
use super::problem::Problem;
use crate::config::Ceiling;
use crate::manifest::{Manifest, OperationDeclaration, OperationLimits};
use crate::metrics::{Metrics, RouteMetrics};
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
    pub(super) metrics: RouteMetrics,
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
    pub(super) fn new(
        plugins: &[Arc<Plugin>],
        ceiling: &Ceiling,
        metrics: &Metrics,
    ) -> Result<Self, Vec<String>> {
        let routes = plugins.iter().flat_map(|plugin| {
            let manifest = plugin.manifest();
            manifest.operations.iter().map(move |operation| {
                let route = Route::new(plugin, operation, ceiling, metrics).map(Arc::new);
                (manifest, operation, route)
            })
        });
        lay_out(routes).map(Self)
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

/// What is wrong with a plugin's routes.
#[must_use]
pub fn route_faults(manifest: &Manifest, ceiling: &Ceiling) -> Vec<String> {
    let routes = manifest.operations.iter().map(|operation| {
        let checked = Checked::new(operation, ceiling).map(drop);
        (manifest, operation, checked)
    });
    lay_out(routes).err().unwrap_or_default()
}

/// Put routes into a tree.
fn lay_out<'a, T>(
    routes: impl Iterator<Item = (&'a Manifest, &'a OperationDeclaration, Result<T, String>)>,
) -> Result<matchit::Router<BTreeMap<String, T>>, Vec<String>> {
    let mut faults = Vec::new();
    let mut methods: BTreeMap<String, BTreeMap<String, T>> = BTreeMap::new();
    for (manifest, operation, route) in routes {
        let name = format!("{}: operation {}", manifest.name, operation.name);
        match route {
            Ok(route) => {
                let path = format!("/v1/{}{}", manifest.name, operation.path);
                let of_path = methods.entry(path).or_default();
                if of_path.insert(operation.method.clone(), route).is_some() {
                    faults.push(format!("{name}: another has this method and path"));
                }
            }
            Err(why) => faults.push(format!("{name}: {why}")),
        }
    }
    let mut router = matchit::Router::new();
    for (path, methods) in methods {
        if let Err(error) = router.insert(path.as_str(), methods) {
            faults.push(format!("{path}: {error}"));
        }
    }
    if faults.is_empty() { Ok(router) } else { Err(faults) }
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
        ceiling: &Ceiling,
        metrics: &Metrics,
    ) -> Result<Self, String> {
        let Checked { parameters, body } = Checked::new(operation, ceiling)?;
        let metrics = metrics.route(&plugin.manifest().name, &operation.name);
        let (plugin, operation) = (Arc::clone(plugin), operation.clone());
        Ok(Self { plugin, operation, parameters, body, metrics })
    }
}

/// What is made of a declared operation.
struct Checked {
    parameters: Parameters,
    body: Option<RequestBody>,
}

impl Checked {
    fn new(operation: &OperationDeclaration, ceiling: &Ceiling) -> Result<Self, String> {
        check_limits(&operation.limits, ceiling)?;
        let body = operation.request.as_ref().map(RequestBody::new).transpose()?;
        Ok(Self { parameters: Parameters::new(operation)?, body })
    }
}

/// Whether the operator allows what an operation asks for.
fn check_limits(asked: &OperationLimits, ceiling: &Ceiling) -> Result<(), String> {
    within("body_bytes", asked.body_bytes, ceiling.body_bytes)?;
    within("document_bytes", asked.document_bytes, ceiling.document_bytes)?;
    within("response_bytes", asked.response_bytes, ceiling.response_bytes)?;
    within("request_ms", asked.request_ms, ceiling.request_ms)?;
    within("transaction_ms", asked.transaction_ms, ceiling.transaction_ms)?;
    within("documents_written", asked.documents_written, ceiling.documents_written)
}

fn within<T: PartialOrd + std::fmt::Display>(
    name: &str,
    asked: Option<T>,
    ceiling: T,
) -> Result<(), String> {
    match asked {
        Some(asked) if asked > ceiling => Err(format!(
            "it asks for {name} = {asked}, and limits.ceiling.{name} is {ceiling}; raise the ceiling"
        )),
        _ => Ok(()),
    }
}
