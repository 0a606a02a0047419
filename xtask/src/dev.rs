//! `cargo xtask dev`: builds all and becomes the gateway.

use std::env;
use std::os::unix::process::CommandExt;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::plugins::{self, SERVED, Scope};
use crate::workspace::{Profile, Workspace};
use crate::{install, step};

/// Build, say how to try it, and serve until a signal. It returns only when it fails.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    install::ensure_toolchain(workspace)?;
    plugins::build(workspace, Scope::Gateway, SERVED)?;
    let gateway = workspace.gateway(Profile::Dev);
    let mut serve = workspace.command(&gateway);
    serve.args(["serve", "--config", "gateway.toml"]).args(args);
    if let Some(url) = env::var_os("DATABASE_URL") {
        serve.env("LOGGIA_STORAGE__URL", url);
    }
    step("serving on http://127.0.0.1:8080 until Ctrl-C; in another terminal:");
    step(&format!("try: {}", example()?));
    // The gateway takes this process over, so that every signal reaches it.
    let error = serve.exec();
    Err(error).with_context(|| format!("cannot run {}", gateway.display()))
}

/// A request that creates a session. The id is a new one at each start: the data of the last
/// start is still there, and a session's version 1 can be written only once.
fn example() -> Result<String> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is wrong")?;
    let id = format!("s{}", seconds.as_secs());
    let session = serde_json::json!({
        "id": id,
        "state": "active",
        "createdAt": "2026-01-01T12:00:00.000Z",
        "updatedAt": "2026-01-01T12:00:00.000Z",
        "expiresAt": "2099-01-01T12:00:00.000Z",
        "agentIds": ["guide"],
        "agentStates": {"guide": {"config": {}, "context": {}, "messageHistory": []}},
        "conversationHistory": [],
        "sharedContext": {},
        "metadata": {"userId": "ada", "tags": ["first"], "title": "A first session"},
        "version": 1,
    });
    Ok(format!(
        "curl -i -X PUT http://127.0.0.1:8080/v1/chat-sessions/sessions/{id} \
         -H 'content-type: application/json' -d '{session}'"
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_example_survives_the_shell() -> anyhow::Result<()> {
        let example = super::example()?;
        assert_eq!(
            example.matches('\'').count(),
            4,
            "a quote inside would end the text: {example}"
        );
        assert!(!example.contains('\n'));
        Ok(())
    }
}
