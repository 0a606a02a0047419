//! What a handler is asked.

use std::cell::Cell;
use std::str::FromStr;

use serde::Deserialize;

use crate::bindings::exports::loggia::plugin::handler;
use crate::conditions::Conditions;
use crate::ndjson;
use crate::problem::{Failure, Problem};
use crate::route::place_of;
use crate::storage::{Collection, Page, Precondition};
use crate::timestamp::Timestamp;
use crate::uuid;

pub use handler::Principal;

/// One request. The gateway has matched the route, checked the parameters and read the body.
#[derive(Debug)]
pub struct Request {
    raw: handler::Request,
    /// The path of its route, which names the parameters.
    path: &'static str,
    /// How many ids were made.
    uuids: Cell<u64>,
}

impl Request {
    pub(crate) fn new(raw: handler::Request, path: &'static str) -> Self {
        Self { raw, path, uuids: Cell::new(0) }
    }

    /// The name of the operation in the manifest.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.raw.operation
    }

    /// The decoded value of a parameter of the route's path, by its name there: `id` of
    /// `/notes/{id}`.
    ///
    /// # Panics
    /// The path has no such parameter.
    #[must_use]
    pub fn path(&self, name: &str) -> &str {
        match place_of(name, self.path) {
            Some(place) => &self.raw.path_params[place],
            None => panic!("the path {} has no parameter {name}", self.path),
        }
    }

    /// The first value of a parameter of the query. Defaults of the manifest are filled in.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query_all(name).next()
    }

    /// All values of a parameter that may be repeated.
    pub fn query_all(&self, name: &str) -> impl Iterator<Item = &str> {
        values(&self.raw.query, name)
    }

    /// The parameters of a family: of `attr.*` in the manifest those that begin with `attr.`, each with
    /// the rest of its name and its value.
    pub fn query_family(&self, family: &str) -> impl Iterator<Item = (&str, &str)> {
        self.raw.query.iter().filter_map(move |(name, value)| {
            let rest = name.strip_prefix(family)?.strip_prefix('.')?;
            Some((rest, value.as_str()))
        })
    }

    /// The page that the query asks for, of an operation that declares
    /// [`pages`](crate::manifest::Operation::pages): by `limit`, `offset`, `order`, `cursor` and
    /// `total`.
    ///
    /// # Errors
    /// 400 `invalid-parameter`, where the manifest declares one of these as something else.
    pub fn page(&self) -> Result<Page, Failure> {
        let first = Page::default();
        Ok(Page {
            limit: self.query_as("limit")?.unwrap_or(first.limit),
            offset: self.query_as("offset")?.unwrap_or(first.offset),
            order: self.query("order").map(str::to_owned),
            after: self.query("cursor").map(str::to_owned),
            total: self.query_as("total")?.unwrap_or(first.total),
        })
    }

    /// A parameter of the query as another type.
    ///
    /// # Errors
    /// 400 `invalid-parameter`. Where the manifest declares the parameter's type, the gateway has
    /// refused such a value already.
    pub fn query_as<T: FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        let value = self.query(name).map(str::parse).transpose();
        value.map_err(|_| {
            Problem::new(400, "invalid-parameter", format!("the parameter {name} cannot be read"))
                .with("parameter", name)
                .into()
        })
    }

    /// The first value of a header; names are in lower case. Besides `content-type`, `if-match`
    /// and `if-none-match` only those that the manifest asks for are there.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        values(&self.raw.headers, name).next()
    }

    /// The body. Where the operation takes JSON, it is well-formed.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.raw.body
    }

    /// The body as text.
    ///
    /// # Errors
    /// 400 `invalid-text` where it is not UTF-8, which a JSON body always is.
    pub fn text(&self) -> Result<&str, Failure> {
        std::str::from_utf8(&self.raw.body)
            .map_err(|_| Problem::new(400, "invalid-text", "the body is not UTF-8").into())
    }

    /// The body as a value. It may borrow from the body.
    ///
    /// # Errors
    /// 400 `invalid-json` with `line` and `column`, where the body does not have the form of a
    /// `T`.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Failure> {
        serde_json::from_slice(&self.raw.body).map_err(|fault| {
            Problem::new(400, "invalid-json", fault.to_string())
                .with("line", fault.line())
                .with("column", fault.column())
                .into()
        })
    }

    /// The values of a body of NDJSON, one on each line; lines without any are left out. They may
    /// borrow from the body. A line that does not have the form of a `T` is a problem by itself, and
    /// those behind it are read all the same:
    ///
    /// ```
    /// # use loggia_plugin_sdk::{Failure, Problem, Request, Response};
    /// # use serde::Deserialize;
    /// #[derive(Deserialize)]
    /// struct Event {
    ///     kind: String,
    /// }
    ///
    /// fn all_or_none(request: &Request) -> Result<Response, Failure> {
    ///     let events = request.ndjson().collect::<Result<Vec<Event>, Problem>>()?;
    ///     Ok(Response::json(200, format!(r#"{{"taken":{}}}"#, events.len())))
    /// }
    ///
    /// fn all_that_are_good(request: &Request) -> Result<Response, Failure> {
    ///     let events: Vec<Event> = request.ndjson().filter_map(Result::ok).collect();
    ///     Ok(Response::json(200, format!(r#"{{"taken":{}}}"#, events.len())))
    /// }
    /// ```
    ///
    /// The operation declares the media type `application/x-ndjson`.
    ///
    /// # Errors
    /// 400 `invalid-json`, with the `line` of the body and the `column`.
    pub fn ndjson<'a, T: Deserialize<'a>>(&'a self) -> impl Iterator<Item = Result<T, Problem>> {
        ndjson::read(&self.raw.body)
    }

    /// Who asks.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.raw.principal
    }

    /// The time to use, on the database's clock. The same in a re-run after a lost race, later
    /// after a [`Wait`](crate::Wait).
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.raw.now)
    }

    /// When the request arrived. The same in every run of it.
    #[must_use]
    pub fn received_at(&self) -> Timestamp {
        Timestamp::from_micros(self.raw.received_at)
    }

    /// A new random id, in the text form of a UUID of version 4. Each call makes another one; a
    /// re-run of the request makes the same ones again. They are no secret: who knows one can
    /// work out the others of the same request.
    #[must_use]
    pub fn uuid(&self) -> String {
        let place = self.uuids.get();
        self.uuids.set(place + 1);
        uuid::make(self.raw.entropy, place)
    }

    /// What the gateway tells besides, such as the `trace-id`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        values(&self.raw.attributes, name).next()
    }

    /// What `If-Match` and `If-None-Match` demand, for a handler that reads before it writes.
    #[must_use]
    pub fn conditions(&self) -> Conditions {
        Conditions::parse(&self.raw.headers)
    }

    /// What `If-Match` and `If-None-Match` demand, as the precondition of one write.
    ///
    /// ```no_run
    /// # use loggia_plugin_sdk::{Collection, Failure, Request, Response};
    /// # loggia_plugin_sdk::declare! { STORAGE:
    /// # const NOTES: Collection = collection("note"); }
    /// fn delete(request: &Request) -> Result<Response, Failure> {
    ///     let id = request.path("id");
    ///     NOTES.delete(id).when(request.precondition(&NOTES, id)?).run()?;
    ///     Ok(Response::empty(204))
    /// }
    /// ```
    ///
    /// The document is read only where the headers hold a list of several tags.
    ///
    /// # Errors
    /// 412 `precondition-failed` where no document can meet them, or where the one that was read
    /// does not.
    pub fn precondition<T>(
        &self,
        collection: &Collection<T>,
        id: &str,
    ) -> Result<Precondition, Failure> {
        let conditions = self.conditions();
        match conditions.as_precondition() {
            Some(precondition) => Ok(precondition),
            None => conditions.check(collection.get_json(id)?.map(|found| found.version)),
        }
    }
}

fn values<'a>(pairs: &'a [(String, String)], name: &str) -> impl Iterator<Item = &'a str> {
    pairs.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Response, Route};

    const GET: Route = Route::get("get-note", "/notes/{id}", "Read.", |_| Ok(Response::empty(204)));

    fn request(body: &str) -> Request {
        Request::test(&GET)
            .path("id", "a/b")
            .query("tag", "x")
            .query("limit", "50")
            .query("tag", "y")
            .query("attr.a.b", "1")
            .query("attrs", "0")
            .query("attr.c", "2")
            .header("if-match", "\"7\"")
            .body(body)
            .build()
    }

    #[test]
    fn parameters_are_found_by_name() {
        let request = request("");
        assert_eq!(request.path("id"), "a/b");
        assert_eq!(request.query("tag"), Some("x"));
        let family: Vec<_> = request.query_family("attr").collect();
        assert_eq!(family, [("a.b", "1"), ("c", "2")]);
        assert_eq!(request.query_all("tag").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(request.query_as::<u32>("limit"), Ok(Some(50)));
        assert_eq!(request.query_as::<u32>("offset"), Ok(None));
        assert!(request.query_as::<u32>("tag").is_err());
        assert_eq!(request.header("if-match"), Some("\"7\""));
        assert_eq!(request.operation(), "get-note");
    }

    #[test]
    fn a_body_of_another_form_is_refused_with_its_place() {
        assert_eq!(request("[1, 2]").json::<Vec<u32>>(), Ok(vec![1, 2]));
        let Err(Failure::Problem(problem)) = request("[1,\n \"x\"]").json::<Vec<u32>>() else {
            panic!("the body was taken");
        };
        assert_eq!((problem.status, problem.code.as_str()), (400, "invalid-json"));
        assert_eq!(
            (&problem.extensions["line"], &problem.extensions["column"]),
            (&2.into(), &4.into())
        );
    }

    #[test]
    fn a_precondition_of_one_tag_reads_nothing() {
        const NOTES: Collection<()> = Collection::new("note");
        assert_eq!(request("").precondition(&NOTES, "a"), Ok(Precondition::Version(7)));
    }

    #[test]
    fn ids_differ_within_a_request_and_not_between_its_runs() {
        let (first_run, second_run) = (request(""), request(""));
        let id = first_run.uuid();
        assert_ne!(first_run.uuid(), id);
        assert_eq!(second_run.uuid(), id);
    }
}
