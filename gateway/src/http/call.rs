//! A call of a plugin, which goes on to its end whether or not its client is still there.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::Gateway;
use super::problem::Problem;
use super::route::Route;
use crate::plugin::{self, CallOptions, Failed};

/// Call the plugin of a route. When the client goes away, the call goes on, so that a commit is
/// never left half decided and the connection to the database goes back to the pool clean.
pub(super) async fn call(
    gateway: &Gateway,
    route: Arc<Route>,
    request: plugin::Request,
    options: CallOptions,
) -> Result<Result<plugin::Response, Failed>, Problem> {
    // Lives as long as hyper waits for the answer, which it does while there is a client.
    let (_here, left) = oneshot::channel::<()>();
    let gone = async move { drop(left.await) };
    let under_way = gateway.calls.begin();
    let work = async move {
        let answer = route.plugin.call(&request, &options, gone).await;
        drop(under_way);
        answer
    };
    ToItsEnd::new(AssertUnwindSafe(work).catch_unwind()).await.map_err(|_panic| {
        // The hook for panics has said where.
        tracing::error!("a request panicked");
        Problem::panicked()
    })
}

/// Work that is done where it is awaited, and in a task of its own once nobody awaits it: a task
/// for each call would cost more than a small call itself.
struct ToItsEnd<F>(Option<Pin<Box<F>>>)
where
    F: Future<Output: Send> + Send + 'static;

impl<F> ToItsEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn new(work: F) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<F> Future for ToItsEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let work = self.0.as_mut().expect("work that has ended is not polled again");
        let output = ready!(work.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(output)
    }
}

impl<F> Drop for ToItsEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        // When the process ends, the runtime may have gone as well.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work.in_current_span());
        }
    }
}
