//! The operator's listener: health, metrics, and what is served. Begin reading at
//! [`Admin::respond`].
//!
//! It has no keys, so it listens on a loopback address only. Pages of other sites that a browser
//! on the same machine shows could still send requests to it; browsers say so in `Origin`, and
//! such requests are refused.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, ORIGIN};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::problem::Problem;
use super::{Gateway, trace};

/// Makes the next generation, and tells its number or why there is none.
#[derive(Clone)]
pub struct Reload(Arc<dyn Fn() -> BoxFuture<'static, Result<u64, String>> + Send + Sync>);

/// What the operator can ask for.
#[derive(Clone, Copy, Debug)]
enum Page {
    Live,
    Ready,
    Metrics,
    Plugins,
    Reload,
}

const PAGES: [(&str, &str, Page); 5] = [
    ("GET", "/livez", Page::Live),
    ("GET", "/readyz", Page::Ready),
    ("GET", "/metrics", Page::Metrics),
    ("GET", "/admin/v1/plugins", Page::Plugins),
    ("POST", "/admin/v1/reload", Page::Reload),
];

/// Answers the operator.
pub(super) struct Admin {
    gateway: Arc<Gateway>,
    reload: Reload,
    pages: matchit::Router<(&'static str, Page)>,
}

/// A database that is slower than this is not ready.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

type Answer = Result<Response<Full<Bytes>>, Problem>;

impl Reload {
    /// By this function. It goes on to its end, also when nobody waits for it any more.
    pub fn new<F>(reload: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<u64, String>> + Send + 'static,
    {
        Self(Arc::new(move || {
            let reloading = tokio::spawn(reload());
            Box::pin(async move { reloading.await.unwrap_or_else(|error| Err(error.to_string())) })
        }))
    }

    /// Make the next generation.
    ///
    /// # Errors
    /// Why the gateway goes on with the one that it has.
    pub async fn run(&self) -> Result<u64, String> {
        self.0().await
    }
}

impl std::fmt::Debug for Reload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reload")
    }
}

impl Admin {
    pub(super) fn new(gateway: Arc<Gateway>, reload: Reload) -> Self {
        let mut pages = matchit::Router::new();
        for (method, path, page) in PAGES {
            pages.insert(path, (method, page)).expect("no two pages have one path");
        }
        Self { gateway, reload, pages }
    }

    /// Answer a request, whatever comes of it.
    pub(super) async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let answered = self.answer(&request).await;
        answered
            .unwrap_or_else(|problem| problem.into_response(&trace::trace_id(request.headers())))
    }

    async fn answer(&self, request: &Request<Incoming>) -> Answer {
        if request.headers().contains_key(ORIGIN) {
            let detail = "this listener is not for pages in a browser";
            return Err(Problem::new(StatusCode::FORBIDDEN, "cross-origin", detail));
        }
        match self.find(request.method(), request.uri().path())? {
            Page::Live => Ok(text("text/plain", "alive\n".to_owned())),
            Page::Ready => self.ready().await,
            Page::Metrics => Ok(text(PROMETHEUS, self.gateway.metrics_text())),
            Page::Plugins => Ok(self.plugins()),
            Page::Reload => self.reload().await,
        }
    }

    fn find(&self, method: &Method, path: &str) -> Result<Page, Problem> {
        let Ok(found) = self.pages.at(path) else {
            let pages = PAGES.map(|(method, path, _)| format!("{method} {path}")).join(", ");
            let detail = format!("there is no {path} here; there are {pages}");
            return Err(Problem::new(StatusCode::NOT_FOUND, "no-such-route", detail));
        };
        let (allowed, page) = *found.value;
        if method.as_str() == allowed {
            return Ok(page);
        }
        let detail = format!("{method} is not possible here; possible is {allowed}");
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail);
        Err(problem.header(ALLOW, HeaderValue::from_static(allowed)))
    }

    /// A generation is always there; the database may be gone.
    async fn ready(&self) -> Answer {
        let why = match timeout(READY_TIMEOUT, self.gateway.storage.ping()).await {
            Ok(Ok(())) => return Ok(text("text/plain", "ready\n".to_owned())),
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => format!("the database took longer than {READY_TIMEOUT:?}"),
        };
        Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", why))
    }

    fn plugins(&self) -> Response<Full<Bytes>> {
        let generation = self.gateway.generation();
        let plugins = generation.plugins().into_iter().map(|plugin| {
            json!({"name": plugin.name, "version": plugin.version, "sha256": plugin.sha256})
        });
        let plugins: Vec<Value> = plugins.collect();
        json(&json!({"generation": generation.number(), "plugins": plugins}))
    }

    async fn reload(&self) -> Answer {
        match self.reload.run().await {
            Ok(generation) => Ok(json(&json!({"generation": generation}))),
            Err(why) => {
                let serving = self.gateway.generation().number();
                let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "reload-failed", why);
                Err(problem.with("generation", serving))
            }
        }
    }
}

/// What Prometheus takes for its own newer format.
const PROMETHEUS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn json(body: &Value) -> Response<Full<Bytes>> {
    text("application/json", body.to_string())
}

fn text(content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
