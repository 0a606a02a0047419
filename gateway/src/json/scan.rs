//! The pass itself: the grammar of JSON, and the limits that come with each token.
//!
//! It keeps a stack of its own instead of calling itself, so that no text can use up the
//! thread's. Begin at [`Scanner::run`].

use std::borrow::Cow;

use super::MAX_DEPTH;
use super::fault::{Fault, Problem};
use super::keys::Keys;
use super::paths::{Members, Node, PathSet};
use super::{number, string};

/// A longer pointer is cut to one of a container around the fault: a name can be as long as the
/// body, and the pointer goes into an answer and a log.
const MAX_POINTER_BYTES: usize = 1_024;

/// One pass over one text.
pub(super) struct Scanner<'a, 'p> {
    text: &'a str,
    /// The next byte.
    at: usize,
    /// The containers that are open, the innermost last.
    frames: Vec<Frame<'p>>,
    keys: Keys<'a>,
    /// Whether the scanner is between two values of the innermost container, and not at one.
    between: bool,
    root: &'p Node,
    members: Members<'a>,
    /// How far the size that counts is from the length of the text.
    white_space: usize,
    growth: usize,
}

/// An open container.
#[derive(Clone, Copy)]
struct Frame<'p> {
    kind: Kind,
    start: usize,
    /// Where its names begin in [`Keys`].
    names: usize,
    /// Values begun so far.
    count: usize,
    /// Where it is in the tree of paths, if any path leads here.
    node: Option<&'p Node>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Array,
    Object,
}

/// What comes after a value.
enum Next<'p> {
    /// Another value, and where it is in the tree of paths.
    Value(Option<&'p Node>),
    End,
}

impl<'a, 'p> Scanner<'a, 'p> {
    pub(super) fn new(text: &'a str, paths: &'p PathSet) -> Self {
        Self {
            text,
            at: 0,
            frames: Vec::new(),
            keys: Keys::default(),
            between: false,
            root: paths.root(),
            members: Members::new(paths),
            white_space: 0,
            growth: 0,
        }
    }

    /// Read the whole text.
    pub(super) fn run(&mut self) -> Result<(), Fault> {
        self.scan().map_err(|problem| self.fault(problem))
    }

    /// What was found, and the size that counts.
    pub(super) fn finish(self) -> (Members<'a>, usize) {
        (self.members, self.text.len() - self.white_space + self.growth)
    }

    pub(super) fn scan(&mut self) -> Result<(), Problem> {
        self.skip_white_space();
        let mut place = Some(self.root);
        loop {
            self.value(place)?;
            match self.advance()? {
                Next::Value(next) => place = next,
                Next::End => break,
            }
        }
        match self.peek() {
            Some(_) => Err(self.syntax("there is more text behind the value")),
            None => Ok(()),
        }
    }

    /// Read a value, of a container only its opening.
    fn value(&mut self, place: Option<&'p Node>) -> Result<(), Problem> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => self.at = string::scan(self.text, start)?.end,
            Some(b'-' | b'0'..=b'9') => {
                let number = number::scan(self.text, start)?;
                self.at = number.end;
                self.growth += number.growth;
            }
            Some(b'{') => return self.open(Kind::Object, place),
            Some(b'[') => return self.open(Kind::Array, place),
            Some(b't') => self.word("true")?,
            Some(b'f') => self.word("false")?,
            // A null is as good as absent: no field is found here.
            Some(b'n') => return self.word("null"),
            Some(_) => return Err(self.syntax("expected a value")),
            None => return Err(self.syntax("the text ends where a value is expected")),
        }
        self.found(place, start);
        Ok(())
    }

    /// Go to the next value, closing what ends before it.
    fn advance(&mut self) -> Result<Next<'p>, Problem> {
        self.between = true;
        loop {
            self.skip_white_space();
            let next = self.peek();
            let Some(frame) = self.frames.last() else { return Ok(Next::End) };
            match (next, frame.kind) {
                (Some(b'}'), Kind::Object) | (Some(b']'), Kind::Array) => self.close(),
                (Some(b','), _) if frame.count > 0 => {
                    self.at += 1;
                    self.skip_white_space();
                    return self.element();
                }
                _ if frame.count == 0 => return self.element(),
                (_, Kind::Object) => return Err(self.syntax("expected `,` or `}`")),
                (_, Kind::Array) => return Err(self.syntax("expected `,` or `]`")),
            }
        }
    }

    /// Come to a value of the innermost container.
    fn element(&mut self) -> Result<Next<'p>, Problem> {
        match self.frames.last_mut() {
            Some(Frame { kind: Kind::Array, count, node, .. }) => {
                let place = node.and_then(|node| node.element(*count));
                *count += 1;
                self.between = false;
                Ok(Next::Value(place))
            }
            _ => self.member(),
        }
    }

    /// Read the name of a member and come to its value.
    fn member(&mut self) -> Result<Next<'p>, Problem> {
        let start = self.at;
        let name = self.name()?;
        let mut place = None;
        if let Some(frame) = self.frames.last_mut() {
            frame.count += 1;
            self.between = false;
            place = frame.node.and_then(|node| node.member(&name));
            if !self.keys.insert(frame.names, name) {
                let detail = "the object has a member of this name already";
                return Err(Problem::new("duplicate-member", start, detail));
            }
        }
        self.skip_white_space();
        if self.peek() != Some(b':') {
            return Err(self.syntax("expected `:`"));
        }
        self.at += 1;
        self.skip_white_space();
        Ok(Next::Value(place))
    }

    /// Read a name; it is copied only when it holds an escape.
    fn name(&mut self) -> Result<Cow<'a, str>, Problem> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax("expected the name of a member in quotes"));
        }
        let start = self.at;
        let literal = string::scan(self.text, start)?;
        self.at = literal.end;
        if !literal.escaped {
            return Ok(Cow::Borrowed(&self.text[start + 1..self.at - 1]));
        }
        serde_json::from_str(&self.text[start..self.at])
            .map(Cow::Owned)
            .map_err(|_| Problem::syntax(start, "the name is not a string"))
    }

    fn open(&mut self, kind: Kind, node: Option<&'p Node>) -> Result<(), Problem> {
        if self.frames.len() == MAX_DEPTH {
            let detail = "more than 64 arrays and objects stand within each other";
            return Err(Problem::new("too-deep", self.at, detail));
        }
        self.frames.push(Frame { kind, start: self.at, names: self.keys.begin(), count: 0, node });
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) {
        self.at += 1;
        if let Some(frame) = self.frames.pop() {
            if frame.kind == Kind::Object {
                self.keys.end(frame.names);
            }
            self.found(frame.node, frame.start);
        }
    }

    /// A value ends.
    fn found(&mut self, place: Option<&'p Node>, start: usize) {
        if let Some(node) = place {
            self.members.offer(node, &self.text[start..self.at]);
        }
    }

    fn word(&mut self, word: &str) -> Result<(), Problem> {
        let rest = self.text.as_bytes()[self.at..].iter();
        let common = rest.zip(word.as_bytes()).take_while(|(one, other)| one == other).count();
        self.at += common;
        if common == word.len() { Ok(()) } else { Err(self.syntax("expected a value")) }
    }

    fn skip_white_space(&mut self) {
        let start = self.at;
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
        self.white_space += self.at - start;
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn syntax(&self, detail: &'static str) -> Problem {
        Problem::syntax(self.at, detail)
    }

    /// Find out where a problem is.
    pub(super) fn fault(&self, problem: Problem) -> Fault {
        Fault::new(self.text, self.pointer(), problem)
    }

    fn pointer(&self) -> String {
        let mut pointer = String::new();
        let at_value = self.frames.len() - usize::from(self.between && !self.frames.is_empty());
        for (depth, frame) in self.frames[..at_value].iter().enumerate() {
            let token = match frame.kind {
                Kind::Array => (frame.count - 1).to_string(),
                Kind::Object => {
                    let inner = self.frames.get(depth + 1).map(|frame| frame.names);
                    self.keys.newest(inner).replace('~', "~0").replace('/', "~1")
                }
            };
            if pointer.len() + token.len() >= MAX_POINTER_BYTES {
                break;
            }
            pointer.push('/');
            pointer.push_str(&token);
        }
        pointer
    }
}
