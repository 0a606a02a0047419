//! From a plugin's response to one of HTTP, and what the gateway answers by itself on the way:
//! a client that holds the current version gets 304.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ETAG, HeaderName, HeaderValue, IF_NONE_MATCH};
use hyper::{HeaderMap, Method, Response, StatusCode};

use crate::plugin;

/// The response to a request that has succeeded.
pub(super) fn finish(
    method: &Method,
    request_headers: &HeaderMap,
    answer: plugin::Response,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in header_pairs(&answer.headers) {
        response.headers_mut().append(name, value);
    }
    let safe = method == Method::GET || method == Method::HEAD;
    if safe
        && response.status() == StatusCode::OK
        && is_current(request_headers, response.headers())
    {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Full::default();
    }
    response
}

/// Names and values were checked by the plugin layer, so none is lost here.
pub(super) fn header_pairs(
    headers: &[(String, String)],
) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let pair = |(name, value): &(String, String)| {
        Some((name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?))
    };
    headers.iter().filter_map(pair)
}

/// Whether If-None-Match names the response's `ETag`. It compares weakly (RFC 9110, 13.1.2).
fn is_current(request: &HeaderMap, response: &HeaderMap) -> bool {
    let Some(etag) = response.get(ETAG).and_then(|etag| etag.to_str().ok()) else {
        return false;
    };
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim() == "*" || strong(tag) == strong(etag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_none_match_takes_lists_weak_tags_and_a_star() {
        let mut response = HeaderMap::new();
        response.insert(ETAG, HeaderValue::from_static("\"7\""));
        let current = |value: &'static str| {
            let mut request = HeaderMap::new();
            request.insert(IF_NONE_MATCH, HeaderValue::from_static(value));
            is_current(&request, &response)
        };
        assert!(current("\"7\"") && current("W/\"7\"") && current("\"1\", \"7\"") && current("*"));
        assert!(!current("\"1\"") && !current("7"));
    }
}
