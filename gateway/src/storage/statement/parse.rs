//! Text to tree: the first wall.
//!
//! A text is cut into tokens, and only tokens from a short list reach the parser: no comments, no
//! semicolons, no casts, no strings but `'…'`. The parser runs with a dialect that switches on
//! nothing, so what the databases know beyond plain SQL is not even parsed. What comes out is
//! still untrusted: `check.rs` takes from it only what it knows.

use sqlparser::ast::{Expr, Query};
use sqlparser::dialect::Dialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace};

/// The longest statement of the five plugins has some 600; the limit keeps the depth of chains
/// such as `a + b + …`, and so the stack that the tree needs, within bounds.
const MAX_TOKENS: usize = 4_000;

/// How deep parentheses, subqueries and operators may nest.
const MAX_DEPTH: usize = 40;

/// `PostgreSQL` cuts names at this many bytes.
const MAX_NAME_BYTES: usize = 63;

/// A text that is not accepted, and where.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) at: Location,
    pub(super) reason: String,
}

/// Parse one query that is the whole text.
pub(super) fn query(text: &str) -> Result<Box<Query>, Refusal> {
    whole(text, |parser| parser.parse_query())
}

/// Parse one expression that is the whole text.
pub(super) fn expression(text: &str) -> Result<Expr, Refusal> {
    whole(text, |parser| parser.parse_expr())
}

/// Parse a list of expressions, each with whether it descends, that is the whole text.
pub(super) fn order_terms(text: &str) -> Result<Vec<(Expr, bool)>, Refusal> {
    use sqlparser::keywords::Keyword;
    whole(text, |parser| {
        parser.parse_comma_separated(|parser| {
            let term = parser.parse_expr()?;
            let direction = parser.parse_one_of_keywords(&[Keyword::ASC, Keyword::DESC]);
            Ok((term, direction == Some(Keyword::DESC)))
        })
    })
}

fn whole<T>(
    text: &str,
    parse: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<T, Refusal> {
    let mut parser = Parser::new(&PlainSql)
        .with_recursion_limit(MAX_DEPTH)
        .with_tokens_with_locations(tokens(text)?);
    let parsed = parse(&mut parser).map_err(|error| refusal(&parser, error))?;
    let next = parser.peek_token();
    match next.token {
        Token::EOF => Ok(parsed),
        token => Err(Refusal { at: next.span.start, reason: format!("unexpected {token}") }),
    }
}

/// The parser writes the position into its message; where it does not, the next token has it.
fn refusal(parser: &Parser<'_>, error: ParserError) -> Refusal {
    let next = parser.peek_token();
    let at = next.span.start;
    match error {
        // These messages name what is not allowed either, or the parser's inner form of a token.
        ParserError::ParserError(message) if message.contains("SELECT, VALUES") => {
            Refusal { at, reason: "a query begins with SELECT".to_owned() }
        }
        ParserError::ParserError(message) if message.starts_with("No infix parser") => {
            Refusal { at, reason: format!("unexpected {}", next.token) }
        }
        ParserError::RecursionLimitExceeded => {
            Refusal { at, reason: "nested too deeply".to_owned() }
        }
        ParserError::ParserError(message) | ParserError::TokenizerError(message) => {
            match message.rsplit_once(" at Line: ") {
                Some((what, place)) => {
                    Refusal { at: location(place).unwrap_or(at), reason: lower_first(what) }
                }
                None => Refusal { at, reason: lower_first(&message) },
            }
        }
    }
}

/// `3, Column: 14` as a location.
fn location(place: &str) -> Option<Location> {
    let (line, column) = place.split_once(", Column: ")?;
    Some(Location { line: line.parse().ok()?, column: column.parse().ok()? })
}

fn lower_first(message: &str) -> String {
    let mut characters = message.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

/// The tokens of a text, all of them from the list. `:name` becomes one placeholder.
fn tokens(text: &str) -> Result<Vec<TokenWithSpan>, Refusal> {
    let all = Tokenizer::new(&PlainSql, text)
        .tokenize_with_location()
        .map_err(|error| Refusal { at: error.location, reason: lower_first(&error.message) })?;
    let mut words = all.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    if let Some(first_beyond) = words.nth(MAX_TOKENS) {
        let at = first_beyond.span.start;
        return Err(Refusal { at, reason: format!("longer than {MAX_TOKENS} tokens") });
    }
    let mut tokens: Vec<TokenWithSpan> = Vec::with_capacity(all.len());
    for mut token in all {
        let at = token.span.start;
        if let Some(colon) = tokens.pop_if(|last| last.token == Token::Colon) {
            token = TokenWithSpan { token: parameter(token.token, at)?, span: colon.span };
        }
        allowed(&token.token).map_err(|reason| Refusal { at, reason })?;
        tokens.push(token);
    }
    match tokens.last() {
        Some(TokenWithSpan { token: Token::Colon, span }) => {
            Err(Refusal { at: span.start, reason: "a parameter needs a name".to_owned() })
        }
        _ => Ok(tokens),
    }
}

/// The token after a colon as a parameter.
fn parameter(token: Token, at: Location) -> Result<Token, Refusal> {
    match token {
        Token::Word(word) if word.quote_style.is_none() && is_name(&word.value) => {
            Ok(Token::Placeholder(format!(":{}", word.value)))
        }
        _ => {
            Err(Refusal { at, reason: "a parameter needs a name right after its colon".to_owned() })
        }
    }
}

fn allowed(token: &Token) -> Result<(), String> {
    match token {
        Token::Word(word) => allowed_word(&word.value, word.quote_style),
        Token::SingleQuotedString(text) if text.contains('\0') => {
            Err("a NUL character is not allowed".to_owned())
        }
        Token::Placeholder(name) if !name.starts_with(':') => {
            Err(format!("{name} is not a parameter; write :name"))
        }
        Token::Number(_, false)
        | Token::SingleQuotedString(_)
        | Token::Placeholder(_)
        | Token::Comma
        | Token::Period
        | Token::Colon
        | Token::LParen
        | Token::RParen
        | Token::Eq
        | Token::Neq
        | Token::Lt
        | Token::LtEq
        | Token::Gt
        | Token::GtEq
        | Token::Plus
        | Token::Minus
        | Token::Mul
        | Token::Div
        | Token::Mod
        | Token::StringConcat
        | Token::Whitespace(Whitespace::Space | Whitespace::Newline | Whitespace::Tab)
        | Token::EOF => Ok(()),
        Token::SemiColon => Err("a statement is one SELECT, without a semicolon".to_owned()),
        Token::Whitespace(_) => Err("comments are not allowed".to_owned()),
        Token::DoubleColon => {
            Err("casts are not allowed; for a parameter write CAST(:name AS type)".to_owned())
        }
        other => Err(format!("{other} is not allowed")),
    }
}

/// Words that begin a special form which no statement may use. The parser would try each of them
/// as the form and then as a name; refusing them here is clearer and quicker.
const SPECIAL_FORMS: [&str; 20] = [
    "array",
    "collate",
    "connect_by_root",
    "convert",
    "extract",
    "grouping",
    "interval",
    "lambda",
    "lateral",
    "overlay",
    "position",
    "prior",
    "safe_cast",
    "struct",
    "substr",
    "substring",
    "trim",
    "try_cast",
    "try_convert",
    "unnest",
];

fn allowed_word(word: &str, quote: Option<char>) -> Result<(), String> {
    match quote {
        None if SPECIAL_FORMS.iter().any(|form| word.eq_ignore_ascii_case(form)) => {
            Err(format!("{word} is not allowed (a name needs double quotes)"))
        }
        None | Some('"') if is_name(word) => Ok(()),
        None | Some('"') => Err(format!(
            "{word:?} is not a name: up to {MAX_NAME_BYTES} ASCII letters, digits and underscores"
        )),
        Some(_) => Err("names are quoted with double quotes".to_owned()),
    }
}

fn is_name(word: &str) -> bool {
    let mut bytes = word.bytes();
    word.len() <= MAX_NAME_BYTES
        && bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// SQL with every extension but one off: each is a method of [`Dialect`] that answers no by
/// default.
#[derive(Debug)]
struct PlainSql;

impl Dialect for PlainSql {
    fn is_identifier_start(&self, character: char) -> bool {
        character.is_ascii_alphabetic() || character == '_'
    }

    fn is_identifier_part(&self, character: char) -> bool {
        character.is_ascii_alphanumeric() || character == '_'
    }

    /// `count(*) FILTER (WHERE …)`, which both databases have.
    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }
}
