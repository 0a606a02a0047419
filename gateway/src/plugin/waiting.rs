//! A request that waits: it has no instance, no connection, no transaction and no place among the
//! calls, and is run again when something has changed.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::error::bad_output;
use super::message::Wait;
use super::{Breach, CallError, CallOptions, Plugin};
use crate::storage::{Moment, Watch};

/// What a request knows of its waits.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Before the run that is under way began to read.
    before: Moment,
    /// Set from the first wait on, with the collections that it watches.
    watch: Option<(Vec<String>, Watch)>,
}

impl Waiting {
    pub(super) fn new(plugin: &Plugin, options: &CallOptions) -> Self {
        Self { before: plugin.storage.moment(options.tenant), watch: None }
    }

    /// Wait as the last run wished, and give back the time for the next one.
    ///
    /// # Errors
    /// The wish cannot be met, the request's time is over, or its client has gone.
    pub(super) async fn wait(
        &mut self,
        plugin: &Plugin,
        options: &CallOptions,
        wish: Wait,
        now: i64,
        gone: &mut (impl Future<Output = ()> + Unpin),
    ) -> Result<i64, CallError> {
        if wish.until <= now {
            let why = format!("it waits until {}, which is not after now, {now}", wish.until);
            return Err(bad_output(why));
        }
        let until = instant(plugin, wish.until).unwrap_or(options.deadline);
        let over = if self.watch(plugin, options, wish.changed)? {
            false
        } else {
            self.changed_or_over(until, options.deadline, gone).await?
        };
        // Read before the next run reads anything.
        self.before = plugin.storage.moment(options.tenant);
        let later = plugin.storage.now().max(now);
        // The clock is an estimate: a plugin whose time has come is to see that it has.
        Ok(if over { later.max(wish.until) } else { later })
    }

    /// Whether it was the time that ended the wait.
    async fn changed_or_over(
        &self,
        until: Instant,
        deadline: Instant,
        gone: &mut (impl Future<Output = ()> + Unpin),
    ) -> Result<bool, CallError> {
        let changed = async {
            match &self.watch {
                Some((_, watch)) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = gone => Err(CallError::ClientGone),
            () = changed => Ok(false),
            () = sleep_until(until.min(deadline)) => {
                if until < deadline { Ok(true) } else { Err(CallError::Breach(Breach::Request)) }
            }
        }
    }

    /// Watch what the plugin wishes for; true when it may have changed since the run began.
    fn watch(
        &mut self,
        plugin: &Plugin,
        options: &CallOptions,
        changed: Vec<String>,
    ) -> Result<bool, CallError> {
        if self.watch.as_ref().is_some_and(|(watched, _)| *watched == changed) {
            return Ok(false);
        }
        // It gives its place to the next.
        self.watch = None;
        let most = options.limits.waiting_requests;
        let watch = plugin.storage.watch(options.tenant, &plugin.schema, &changed, most);
        let watch =
            watch.map_err(|error| bad_output(format!("it waits for what is none: {error}")))?;
        self.watch = Some((changed, watch.ok_or(CallError::TooManyWait)?));
        Ok(plugin.storage.moment(options.tenant) != self.before)
    }
}

/// When it will be that late on the database's clock; `None` where no timer goes so far.
fn instant(plugin: &Plugin, time: i64) -> Option<Instant> {
    let wait = time.saturating_sub(plugin.storage.now());
    let wait = Duration::from_micros(u64::try_from(wait).unwrap_or_default());
    Instant::now().checked_add(wait)
}
