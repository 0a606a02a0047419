//! A request that comes from no socket, and whose stops a test decides about.
//!
//! It goes over a connection in memory, so all that a client's request meets it meets as well.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Method, Request, client::conn::http1 as client};
use hyper_util::rt::TokioIo;

use super::{Gateway, request};
use crate::plugin::Probe;

/// A request as a client would send it.
#[derive(Clone, Debug)]
pub struct Question {
    /// Such as `GET`.
    pub method: String,
    /// The path and the query.
    pub target: String,
    /// Besides `host` and `content-length`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// What a client would get.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// The operation that the request was for, where there is one.
    pub operation: Option<String>,
}

/// The connection's buffer in each direction.
const BUFFER_BYTES: usize = 64 << 10;

impl Gateway {
    /// Answer a request.
    ///
    /// # Errors
    /// It cannot be sent: a method, path or header that HTTP does not allow.
    pub async fn exchange(
        self: &Arc<Self>,
        question: Question,
        probe: Probe,
    ) -> Result<Answer, String> {
        let (near, far) = tokio::io::duplex(BUFFER_BYTES);
        let gateway = Arc::clone(self);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(probe.clone());
            let gateway = Arc::clone(&gateway);
            async move { Ok::<_, std::convert::Infallible>(request::respond(gateway, request).await) }
        });
        let serving = server::Builder::new().serve_connection(TokioIo::new(far), service);
        let operation = self.operation(&question);
        let asking = ask(question, TokioIo::new(near));
        // The server's side ends when the client's does.
        let (answer, _) = tokio::join!(asking, serving);
        answer.map(|answer| Answer { operation, ..answer })
    }

    fn operation(&self, question: &Question) -> Option<String> {
        let method = Method::from_bytes(question.method.as_bytes()).ok()?;
        let path = question.target.split('?').next()?;
        let generation = self.generation();
        let matched = generation.router.find(&method, path).ok()?;
        Some(matched.route.operation.name.clone())
    }
}

async fn ask(
    question: Question,
    connection: TokioIo<tokio::io::DuplexStream>,
) -> Result<Answer, String> {
    let Question { method, target, headers, body } = question;
    let mut request = Request::builder().method(method.as_str()).uri(target).header("host", "test");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
    let failed = |error: hyper::Error| format!("the connection ended: {error}");
    let (mut sender, connection) = client::handshake(connection).await.map_err(failed)?;
    let exchange = async move {
        let (head, body) = sender.send_request(request).await.map_err(failed)?.into_parts();
        let body = body.collect().await.map_err(failed)?.to_bytes();
        let text = |value: &hyper::header::HeaderValue| {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        let headers = head.headers.iter().map(|(n, value)| (n.as_str().to_owned(), text(value)));
        let (status, headers) = (head.status.as_u16(), headers.collect());
        Ok(Answer { status, headers, body, operation: None })
    };
    let (answer, _) = tokio::join!(exchange, connection);
    answer
}
