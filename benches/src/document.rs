//! The documents of the benchmarks: 1 kB of JSON each, and the requests that store and read them.

use std::fmt::Write as _;

/// The size of a body.
pub const BODY_BYTES: usize = 1_024;

/// The documents are the same in both collections of the plugin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Documents {
    /// The collection declares no count.
    Uncounted,
    /// It declares two, one of which counts each of them.
    Counted,
}

impl Documents {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Uncounted, Self::Counted];

    /// Where the plugin serves them, and the native handler the same ones.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Uncounted => "/v1/faults/uncounted/",
            Self::Counted => "/v1/faults/documents/",
        }
    }
}

/// What a client asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// Read a document.
    Get,
    /// Replace a document of a collection that declares no count.
    Put,
    /// Replace a document of a collection that declares two counts, one of which counts it.
    PutCounted,
}

impl Method {
    /// As tables call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::PutCounted => "PUT counted",
        }
    }

    /// As HTTP spells it.
    #[must_use]
    pub fn verb(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put | Self::PutCounted => "PUT",
        }
    }

    /// Those that it reads or replaces.
    #[must_use]
    pub fn documents(self) -> Documents {
        match self {
            Self::Put => Documents::Uncounted,
            Self::Get | Self::PutCounted => Documents::Counted,
        }
    }
}

/// The JSON text of a document, of [`BODY_BYTES`] bytes. A value stands in most of the fields that
/// the plugin declares.
#[must_use]
pub fn body(number: usize) -> String {
    let mut text = format!(
        "{{\"title\":\"Document {number}\",\"amount\":{number},\"ratio\":0.25,\"done\":false,\
         \"due\":\"2026-01-31T12:00:00Z\",\"tags\":[\"bench\",\"kilobyte\"],\"text\":\""
    );
    let end = "\"}";
    let mut word = number;
    while text.len() + end.len() < BODY_BYTES {
        // Words that differ, as those of a text do.
        word = word.wrapping_mul(31).wrapping_add(7) % 100_003;
        let room = BODY_BYTES - end.len() - text.len();
        let words = format!("word{word} ");
        text.push_str(&words[..words.len().min(room)]);
    }
    text.push_str(end);
    text
}

/// A whole request, ready to be written to a connection.
#[must_use]
pub fn request(method: Method, number: usize) -> Vec<u8> {
    let (verb, path) = (method.verb(), method.documents().path());
    let mut text = format!("{verb} {path}bench-{number} HTTP/1.1\r\nhost: bench\r\n");
    match method {
        Method::Get => text.push_str("\r\n"),
        Method::Put | Method::PutCounted => {
            let body = body(number);
            let length = body.len();
            let _ = write!(
                text,
                "content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
            );
        }
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_json_of_one_kilobyte() {
        for number in [0, 7, 1_023] {
            let body = body(number);
            assert_eq!(body.len(), BODY_BYTES);
            let value: serde_json::Value = serde_json::from_str(&body).expect("it is JSON");
            assert_eq!(value["amount"], number);
        }
    }
}
