//! What goes into a plugin and what comes out, without a name of HTTP's or WebAssembly's library.

use bytes::Bytes;

use crate::tenant::Principal;

/// One request, matched and read.
#[derive(Clone, Debug)]
pub struct Request {
    /// The operation's name in the manifest.
    pub operation: String,
    /// Decoded values of the route's parameters, in its order.
    pub path_params: Vec<String>,
    /// Decoded query parameters with defaults filled in.
    pub query: Vec<(String, String)>,
    /// Those headers that the plugin may see, by lower-case name.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// Who asks.
    pub principal: Principal,
    /// When it arrived, in microseconds since 1970.
    pub received_at: i64,
    /// The same in every run of this request.
    pub entropy: (u64, u64),
    /// The trace that log lines and problems name.
    pub trace_id: String,
}

/// What a plugin answers.
#[derive(Clone, Debug)]
pub struct Response {
    /// From 200 to 599.
    pub status: u16,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// A problem that a plugin states. Everything that it wrote is undone.
#[derive(Clone, Debug)]
pub struct Problem {
    /// From 400 to 599.
    pub status: u16,
    /// A stable code in kebab case.
    pub code: String,
    /// What is wrong and what to do.
    pub detail: String,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    /// A JSON object of extension members.
    pub extensions: Option<String>,
}

/// A plugin's wish to be run again when something has changed.
#[derive(Clone, Debug)]
pub struct Wait {
    /// Names of collections.
    pub changed: Vec<String>,
    /// At the latest, in microseconds since 1970.
    pub until: i64,
}

/// Headers that a plugin may set. All others are the gateway's, or could change how the
/// connection or the browser behaves.
pub(super) const RESPONSE_HEADERS: [&str; 12] = [
    "allow",
    "cache-control",
    "content-disposition",
    "content-language",
    "content-type",
    "etag",
    "expires",
    "last-modified",
    "link",
    "location",
    "retry-after",
    "vary",
];

/// Of those that begin with `x-`: proxies in front of the gateway act on these, and would give out
/// files of their own, for example.
const FOR_PROXIES: [&str; 4] = ["x-accel-", "x-sendfile", "x-lighttpd-", "x-reproxy-"];

/// What is wrong with headers that a plugin has set; `declared` are those that its manifest names.
pub(super) fn check_headers(
    headers: &[(String, String)],
    declared: &[String],
) -> Result<(), String> {
    for (name, value) in headers {
        let is_own = name.starts_with("x-") && !FOR_PROXIES.iter().any(|p| name.starts_with(p));
        let known = RESPONSE_HEADERS.contains(&name.as_str()) || is_own || declared.contains(name);
        if !known
            || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            return Err(format!("the response header {name:?} is not one that a plugin may set"));
        }
        let printable = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte);
        if !value.bytes().all(printable) {
            return Err(format!("the response header {name} holds a byte that is not printable"));
        }
    }
    if headers.len() > MAX_HEADERS {
        return Err(format!(
            "{} response headers; at most {MAX_HEADERS} are allowed",
            headers.len()
        ));
    }
    Ok(())
}

/// More than any answer needs.
const MAX_HEADERS: usize = 64;
