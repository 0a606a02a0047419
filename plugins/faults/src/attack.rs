//! Giants for the gateway to swallow, and what is tried on others: their locks, their log, their
//! memory.

use std::sync::{Mutex, PoisonError};

use loggia_plugin_sdk::{Failure, Problem, Request, Response, log};
use serde_json::json;

use crate::documents::{DOCUMENTS, leave_a_trace};
use crate::probe::error_name;

/// Read a document whose id has so many bytes, and tell the error.
pub(crate) fn giant_id(request: &Request) -> Result<Response, Failure> {
    leave_a_trace(request)?;
    let id = "x".repeat(number(request, "bytes")?);
    let error = DOCUMENTS.get_json(&id).err();
    Response::serialize(200, &json!({"error": error.as_ref().map(error_name)}))
}

/// Store a body of so many bytes, and tell the error.
pub(crate) fn giant_body(request: &Request) -> Result<Response, Failure> {
    leave_a_trace(request)?;
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(number(request, "bytes")?));
    let error = DOCUMENTS.put_json("giant-body-itself", body).run().err();
    Response::serialize(200, &json!({"error": error.as_ref().map(error_name)}))
}

/// Read so many documents in one call, and tell the error.
pub(crate) fn giant_list(request: &Request) -> Result<Response, Failure> {
    leave_a_trace(request)?;
    let ids: Vec<String> = (0..number(request, "ids")?).map(|id| id.to_string()).collect();
    let error = DOCUMENTS.get_many(&ids).err();
    Response::serialize(200, &json!({"error": error.as_ref().map(error_name)}))
}

/// Log one message of so many bytes.
pub(crate) fn giant_log(request: &Request) -> Result<Response, Failure> {
    log::info(&"x".repeat(number(request, "bytes")?));
    Ok(Response::empty(204))
}

/// Log a message that looks like several lines, and steers a terminal.
pub(crate) fn forged_log() -> Result<Response, Failure> {
    log::info(
        "innocent\r\n\u{1b}[2J\u{1b}]0;title\u{7}{\"level\":\"ERROR\",\"message\":\"forged\"}",
    );
    Ok(Response::empty(204))
}

/// Answer with so many headers.
pub(crate) fn many_headers(request: &Request) -> Result<Response, Failure> {
    leave_a_trace(request)?;
    let count = number(request, "count")?;
    let header = |response: Response, place| response.header(&format!("x-{place}"), "a");
    Ok((0..count).fold(Response::empty(200), header))
}

/// Write so many documents, one by one, and panic.
pub(crate) fn trap_after(request: &Request) -> Result<Response, Failure> {
    for write in 0..number(request, "writes")? {
        DOCUMENTS.put_json(&format!("trap-after-{write}"), "{}").run()?;
    }
    panic!("told to");
}

/// Change a document, which locks it, and panic.
pub(crate) fn trap_holding(request: &Request) -> Result<Response, Failure> {
    DOCUMENTS.merge_json(request.path("id"), r#"{"title":"held"}"#).run()?;
    panic!("told to");
}

static SECRET: Mutex<String> = Mutex::new(String::new());

/// Keep a text in memory, where the next request to this instance finds it.
pub(crate) fn remember(request: &Request) -> Result<Response, Failure> {
    let secret = request.text()?;
    *SECRET.lock().unwrap_or_else(PoisonError::into_inner) = secret.to_owned();
    Ok(Response::empty(204))
}

/// Tell what is kept, and whether a text is found anywhere in memory. It is given backwards, so
/// that the request itself does not hold it.
pub(crate) fn recall(request: &Request) -> Result<Response, Failure> {
    let backwards = request.query("backwards").ok_or_else(|| Problem::not_found("no text"))?;
    let kept = SECRET.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Response::serialize(200, &json!({"kept": kept, "found": memory_holds(backwards)}))
}

/// Whether the reverse of a text stands anywhere in the memory of this instance.
#[cfg(target_arch = "wasm32")]
fn memory_holds(backwards: &str) -> bool {
    const PAGE_BYTES: usize = 65_536;
    // Room that nobody has written to since it was taken: a pooled slot's last tenant may have.
    let grown = core::arch::wasm32::memory_grow(0, 64);
    let bytes = core::arch::wasm32::memory_size(0) * PAGE_BYTES;
    // The first page holds nothing that a pointer of Rust could stand for.
    #[expect(unsafe_code, reason = "it looks at what is not its own, which is the attack")]
    let memory =
        unsafe { core::slice::from_raw_parts(PAGE_BYTES as *const u8, bytes - PAGE_BYTES) };
    let found =
        memory.windows(backwards.len()).any(|window| window.iter().rev().eq(backwards.as_bytes()));
    found && grown != usize::MAX
}

#[cfg(not(target_arch = "wasm32"))]
fn memory_holds(_backwards: &str) -> bool {
    false
}

fn number(request: &Request, name: &str) -> Result<usize, Failure> {
    Ok(request.query_as(name)?.unwrap_or_default())
}
