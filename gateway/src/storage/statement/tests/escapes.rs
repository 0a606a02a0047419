//! Nothing gets out: 100,000 mutants of valid statements. Each is refused, or what is rendered of
//! it names own tables behind the tenant, listed functions, and nothing else.

use std::thread;

use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Token, Tokenizer, Word};

use super::super::{Bind, Catalog, Dialect, Rendered, Shape, Statement};
use super::cases::cases;
use super::mutants::Mutants;
use super::{collections, select};

const MUTANTS: u64 = 100_000;
const THREADS: u64 = 4;

/// Every word that may stand before a parenthesis: functions of both databases, and keywords.
const BEFORE_PARENTHESIS: &[&str] = &[
    // Keywords.
    "all",
    "and",
    "any",
    "as",
    "by",
    "case",
    "cast",
    "distinct",
    "else",
    "exists",
    "filter",
    "from",
    "having",
    "in",
    "is",
    "join",
    "not",
    "on",
    "or",
    "over",
    "select",
    "then",
    "union",
    "when",
    "where",
    "with",
    "between",
    "limit",
    "offset",
    "array",
    "interval",
    // Functions.
    "abs",
    "avg",
    "cardinality",
    "ceil",
    "coalesce",
    "count",
    "dense_rank",
    "floor",
    "instr",
    "json",
    "json_array_length",
    "json_each",
    "json_group_array",
    "json_object",
    "jsonb_agg",
    "jsonb_build_object",
    "lag",
    "lead",
    "length",
    "loggia_add",
    "loggia_ceil",
    "loggia_divide",
    "loggia_floor",
    "loggia_json_contains",
    "loggia_json_extract",
    "loggia_multiply",
    "loggia_remainder",
    "loggia_round",
    "loggia_subtract",
    "loggia_timestamp",
    "lower",
    "max",
    "min",
    "nullif",
    "rank",
    "round",
    "row_number",
    "starts_with",
    "strpos",
    "sum",
    "to_char",
    "upper",
];

/// What a rendered text says, token by token.
fn check(rendered: &Rendered, dialect: Dialect) -> Result<(), String> {
    let tokens = Tokenizer::new(&GenericDialect {}, &rendered.sql)
        .tokenize()
        .map_err(|error| error.to_string())?;
    let tokens: Vec<Token> =
        tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    let open = tokens.iter().filter(|token| **token == Token::LParen).count();
    let closed = tokens.iter().filter(|token| **token == Token::RParen).count();
    if open != closed {
        return Err("parentheses".to_owned());
    }
    for (place, token) in tokens.iter().enumerate() {
        let next = tokens.get(place + 1);
        match token {
            Token::SemiColon => return Err("a second statement".to_owned()),
            Token::Word(word) if next == Some(&Token::LParen) => may_precede(word)?,
            _ => {}
        }
        if let Token::Word(Word { value, quote_style: None, .. }) = token
            && ["from", "join", "into", "update", "using"].contains(&value.to_lowercase().as_str())
        {
            let rest = &tokens[place + 1..];
            source(rest, rendered, dialect)?;
        }
    }
    Ok(())
}

fn may_precede(word: &Word) -> Result<(), String> {
    let lower = word.value.to_lowercase();
    let known = match word.quote_style {
        None => BEFORE_PARENTHESIS.contains(&lower.as_str()),
        Some(_) => numbered(&word.value, 'c'),
    };
    if known { Ok(()) } else { Err(format!("{} before a parenthesis", word.value)) }
}

/// A query, another relation of the text, or an own table with its tenant right behind it.
fn source(rest: &[Token], rendered: &Rendered, dialect: Dialect) -> Result<(), String> {
    let word = match rest.first() {
        Some(Token::LParen) => return Ok(()),
        Some(Token::Word(word)) => word,
        other => return Err(format!("{other:?} in FROM")),
    };
    if word.quote_style.is_none() {
        return if word.value == "json_each" {
            Ok(())
        } else {
            Err(format!("{} in FROM", word.value))
        };
    }
    if numbered(&word.value, 'c') {
        return Ok(());
    }
    if !collections().iter().any(|collection| collection.table == word.value) {
        return Err(format!("the table {}", word.value));
    }
    let tenant = rendered.binds.iter().position(|bind| *bind == Bind::Tenant).map(|p| p + 1);
    let tenant = tenant.ok_or("a table without a tenant")?;
    let bind = match dialect {
        Dialect::Postgres => format!("${tenant}"),
        Dialect::Sqlite => format!("?{tenant}"),
    };
    let text: Vec<String> = rest[1..9.min(rest.len())].iter().map(ToString::to_string).collect();
    let alias = rest.get(2).map(ToString::to_string).unwrap_or_default();
    let expected = format!("AS {alias} WHERE {alias} . \"tenant\" = {bind}");
    let found = text.join(" ").replace("? ", "?").replace("$ ", "$");
    if found.starts_with(&expected) { Ok(()) } else { Err(format!("{found}, not {expected}")) }
}

fn numbered(name: &str, letter: char) -> bool {
    name.strip_prefix(letter)
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Compile so many mutants and check those that are accepted. How many were.
fn run(seed: u64, count: u64) -> u64 {
    let (collections, mut mutants) = (collections(), Mutants::new(seed, &cases()));
    let mut accepted = 0;
    for _ in 0..count {
        let mutant = mutants.next();
        let declaration = serde_json::from_value(mutant.clone()).expect("it has the right form");
        let statement = match Statement::compile(&declaration, Catalog::of(&collections)) {
            Ok(statement) => statement,
            Err(faults) => {
                let fault = faults.first().unwrap_or_else(|| panic!("no reason: {mutant}"));
                assert!(!fault.reason.is_empty() && fault.line > 0, "{mutant}: {fault:?}");
                continue;
            }
        };
        accepted += 1;
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            let given = vec![true; statement.parameters().len()];
            let shape = Shape { given, limit: true, ..Shape::default() };
            for rendered in
                [statement.render(dialect, &shape), statement.render_total(dialect, &shape.given)]
            {
                if let Err(why) = check(&rendered, dialect) {
                    panic!("{why}: {mutant} became {}", rendered.sql);
                }
            }
        }
    }
    accepted
}

#[test]
fn no_mutant_of_a_hundred_thousand_gets_out() {
    let threads: Vec<_> = (0..THREADS)
        .map(|seed| thread::spawn(move || run(0x10991A + seed * 7919, MUTANTS / THREADS)))
        .collect();
    let accepted: u64 = threads.into_iter().map(|thread| thread.join().expect("it ends")).sum();
    // Were nearly all refused, little would be shown.
    assert!((2_000..50_000).contains(&accepted), "{accepted} were accepted");
}

/// The check itself must find something.
#[test]
fn the_check_finds_what_escapes() {
    let statement = select("SELECT id FROM session WHERE state = 'x'").expect("it is right");
    let rendered = statement.render(Dialect::Sqlite, &Shape::default());
    check(&rendered, Dialect::Sqlite).expect("it is");
    for (from, to) in [
        ("\"test__session\"", "\"other__session\""),
        ("\"test__session\"", "sqlite_master"),
        ("\"test__session\"", "\"main\".\"test__session\""),
        ("\"tenant\" = ?1", "\"tenant\" = ?2"),
        ("\"tenant\" = ?1", "\"tenant\" > ?1"),
        ("\"d\".\"tenant\" = ?1", "true OR \"d\".\"tenant\" = ?1"),
        ("'x'", "load_extension('x')"),
        ("'x'", "\"load_extension\"('x')"),
        ("'x'", "'x'; DELETE FROM \"test__session\""),
        ("'x'", "(SELECT 1 FROM \"loggia_secret\")"),
        ("'x'", "'x"),
    ] {
        let sql = rendered.sql.replacen(from, to, 1);
        assert_ne!(sql, rendered.sql, "{from} is in it");
        let changed = Rendered { sql: sql.clone(), ..rendered.clone() };
        assert!(check(&changed, Dialect::Sqlite).is_err(), "{sql} passed");
    }
}
