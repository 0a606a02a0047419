//! `Idempotency-Key`: a request that is sent again creates nothing again.

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{
    Collection, Encoding, Expiry, Failure, Problem, Request, Timestamp, Write, declare, digest_id,
    sha256,
};
use serde::{Deserialize, Serialize};

pub(crate) const HEADER: &str = "idempotency-key";

const MAX_BYTES: usize = 255;
const KEEP_SECONDS: i64 = 86_400;

declare! { STORAGE:
    const REQUESTS: Collection<Answered> =
        collection("request").with(|request| request.expires());
}

/// What a request has created.
#[derive(Deserialize, JsonSchema, Serialize)]
struct Answered {
    /// Of its body: another body under the same key is another request.
    sha256: String,
    ids: Vec<String>,
}

pub(super) struct RequestKey {
    id: String,
    sha256: String,
}

impl RequestKey {
    pub(super) fn read(request: &Request) -> Result<Option<Self>, Problem> {
        let Some(key) = request.header(HEADER) else { return Ok(None) };
        if key.is_empty() || key.len() > MAX_BYTES {
            let detail = format!("the header {HEADER} has 1 to {MAX_BYTES} bytes");
            return Err(Problem::new(400, "invalid-header", detail).with("header", HEADER));
        }
        let id = digest_id([request.operation(), key]);
        let sha256 = Encoding::Base64Url.encode(sha256(request.body()));
        Ok(Some(Self { id, sha256 }))
    }

    /// What it has created already.
    pub(super) fn answered(&self) -> Result<Option<Vec<String>>, Failure> {
        let Some(answered) = REQUESTS.get(&self.id)? else { return Ok(None) };
        if answered.body.sha256 != self.sha256 {
            let detail = "another request was sent with the same idempotency key";
            return Err(Problem::new(422, "idempotency-key-reused", detail).into());
        }
        Ok(Some(answered.body.ids))
    }

    pub(super) fn answer(self, ids: Vec<String>, now: Timestamp) -> Write {
        let expiry = Expiry::at(now.plus_seconds(KEEP_SECONDS));
        let answered = Answered { sha256: self.sha256, ids };
        REQUESTS.insert(&self.id, &answered).expires(expiry).into()
    }
}
