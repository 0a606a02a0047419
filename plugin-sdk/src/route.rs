//! Routes: an operation of the manifest together with the function that answers it.

use crate::manifest::Operation;
use crate::problem::{Failure, Problem};
use crate::request::Request;
use crate::response::Response;

/// A function that answers requests. `Ok` commits what was written, whatever the status; `Err`
/// undoes it.
///
/// It may run several times for one request: all that it does must go through the storage calls.
pub type Handler = fn(&Request) -> Result<Response, Failure>;

/// An operation and its handler, declared together so that neither can be without the other.
///
/// ```
/// use loggia_plugin_sdk::manifest::{Mode, Operation};
/// use loggia_plugin_sdk::{Failure, Request, Response, Route};
///
/// const GET: Route = Route::get("get-note", "/notes/{id}", "Read a note.", get)
///     .with(|operation| operation.mode(Mode::Autocommit));
///
/// fn get(request: &Request) -> Result<Response, Failure> {
///     Ok(Response::json(200, format!("{:?}", request.path("id"))))
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Route {
    declare: fn(&str, &str, &str) -> Operation,
    name: &'static str,
    path: &'static str,
    summary: &'static str,
    handler: Handler,
    with: fn(Operation) -> Operation,
}

impl Route {
    /// A route that reads: its name in kebab case, its path below `/v1/{plugin}`, and one sentence
    /// for the API's documentation. It answers HEAD as well.
    #[must_use]
    pub const fn get(
        name: &'static str,
        path: &'static str,
        summary: &'static str,
        handler: Handler,
    ) -> Self {
        Self::new(Operation::get, name, path, summary, handler)
    }

    /// A route that stores what it is given; see [`get`](Self::get).
    #[must_use]
    pub const fn put(
        name: &'static str,
        path: &'static str,
        summary: &'static str,
        handler: Handler,
    ) -> Self {
        Self::new(Operation::put, name, path, summary, handler)
    }

    /// A route that does something else; see [`get`](Self::get).
    #[must_use]
    pub const fn post(
        name: &'static str,
        path: &'static str,
        summary: &'static str,
        handler: Handler,
    ) -> Self {
        Self::new(Operation::post, name, path, summary, handler)
    }

    /// A route that changes part of what is stored; see [`get`](Self::get).
    #[must_use]
    pub const fn patch(
        name: &'static str,
        path: &'static str,
        summary: &'static str,
        handler: Handler,
    ) -> Self {
        Self::new(Operation::patch, name, path, summary, handler)
    }

    /// A route that deletes; see [`get`](Self::get).
    #[must_use]
    pub const fn delete(
        name: &'static str,
        path: &'static str,
        summary: &'static str,
        handler: Handler,
    ) -> Self {
        Self::new(Operation::delete, name, path, summary, handler)
    }

    const fn new(
        declare: fn(&str, &str, &str) -> Operation,
        name: &'static str,
        path: &'static str,
        summary: &'static str,
        handler: Handler,
    ) -> Self {
        Self { declare, name, path, summary, handler, with: |operation| operation }
    }

    /// Say more about the operation: its parameters, its body, its mode. It is called when the
    /// plugin is described, and not when a request comes.
    #[must_use]
    pub const fn with(self, with: fn(Operation) -> Operation) -> Self {
        Self { with, ..self }
    }

    /// The name of its operation, and its path.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn place(&self) -> (&'static str, &'static str) {
        (self.name, self.path)
    }

    /// The operation as the manifest has it.
    pub(crate) fn operation(&self) -> Operation {
        (self.with)((self.declare)(self.name, self.path, self.summary))
    }
}

/// Answer a request by the route of its operation.
pub(crate) fn dispatch(
    routes: &[Route],
    request: impl FnOnce(&'static str) -> Request,
    operation: &str,
) -> Result<Response, Failure> {
    match routes.iter().find(|route| route.name == operation) {
        Some(route) => (route.handler)(&request(route.path)),
        // The gateway takes its operations from the routes, so it asks for no other.
        None => Err(Problem::unknown_operation(operation).into()),
    }
}

/// The place of a parameter among those of a path such as `/notes/{id}:read`.
pub(crate) fn place_of(name: &str, path: &str) -> Option<usize> {
    parameters(path).position(|known| known == name)
}

/// The names of a path's parameters, in its order.
pub(crate) fn parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next())
}

#[cfg(test)]
mod tests {
    use super::place_of;

    #[test]
    fn a_parameter_has_its_place_in_the_path() {
        let path = "/networks/{network}/groups/{group}:move";
        assert_eq!(place_of("network", path), Some(0));
        assert_eq!(place_of("group", path), Some(1));
        assert_eq!(place_of("networks", path), None);
        assert_eq!(place_of("a", "/notes"), None);
    }
}
