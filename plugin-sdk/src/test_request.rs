//! Requests for unit tests of handlers, on the machine that compiles them.

use crate::bindings::exports::loggia::plugin::handler;
use crate::request::{Principal, Request};
use crate::route::{Route, parameters, place_of};
use crate::timestamp::Timestamp;

/// A request that a unit test makes, for [`Request::test`].
///
/// ```
/// use loggia_plugin_sdk::{Failure, Request, Response, Route};
///
/// const GREET: Route = Route::post("greet", "/people/{name}:greet", "Greet.", greet);
///
/// fn greet(request: &Request) -> Result<Response, Failure> {
///     let times = request.query_as::<usize>("times")?.unwrap_or(1);
///     let greeting = request.text()?.repeat(times);
///     Ok(Response::json(200, format!("{:?}", greeting + request.path("name"))))
/// }
///
/// let request = Request::test(&GREET).path("name", "Ada").query("times", "2").body("ho ").build();
/// assert_eq!(greet(&request), Ok(Response::json(200, r#""ho ho Ada""#)));
/// ```
///
/// Nothing of it is checked against the manifest, and no default is filled in: that is the
/// gateway's part, as are storage calls. `loggia plugin test` tries a plugin with all of it.
#[derive(Clone, Debug)]
#[must_use = "it makes a request by build"]
pub struct TestRequest {
    raw: handler::Request,
    /// The path of the route.
    route: &'static str,
}

impl Request {
    /// Begin a request to a route for a unit test: without parameters, headers and body, by
    /// `anonymous` without roles, at the beginning of 1970.
    pub fn test(route: &Route) -> TestRequest {
        let (operation, path) = route.place();
        let raw = handler::Request {
            operation: operation.to_owned(),
            path_params: parameters(path).map(|_| String::new()).collect(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
            principal: Principal { subject: "anonymous".to_owned(), roles: Vec::new() },
            received_at: 0,
            now: 0,
            entropy: (0, 0),
            attributes: Vec::new(),
        };
        TestRequest { raw, route: path }
    }
}

impl TestRequest {
    /// Set a parameter of the path; one that is not set is empty.
    ///
    /// # Panics
    /// The path has no such parameter.
    pub fn path(mut self, name: &str, value: &str) -> Self {
        match place_of(name, self.route) {
            Some(place) => self.raw.path_params[place] = value.to_owned(),
            None => panic!("the path {} has no parameter {name}", self.route),
        }
        self
    }

    /// Add a parameter of the query, decoded.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.raw.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Add a header; names are in lower case.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.raw.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Set the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.raw.body = body.into();
        self
    }

    /// Set who asks.
    pub fn principal(mut self, principal: Principal) -> Self {
        self.raw.principal = principal;
        self
    }

    /// Set the time: when the request arrived, and the one to use.
    pub fn now(mut self, now: Timestamp) -> Self {
        self.raw.received_at = now.as_micros();
        self.raw.now = now.as_micros();
        self
    }

    /// The request.
    #[must_use]
    pub fn build(self) -> Request {
        Request::new(self.raw, self.route)
    }
}
