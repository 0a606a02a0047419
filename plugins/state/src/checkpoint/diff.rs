//! `GET /checkpoints/{id}:diff`: which entries differ, from a checkpoint to another one or to now.

use loggia_plugin_sdk::checkpoint::{self, Difference, DifferenceKind};
use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Request, Response, Route};
use serde::Serialize;

use super::cursor::Of;
use super::{ALL, found, id};
use crate::entry::{ENTRIES, Entry};
use crate::key::Key;

pub(crate) const ROUTE: Route = Route::get(
    "diff-checkpoint",
    "/checkpoints/{id}:diff",
    "List the keys of entries that differ.",
    diff,
)
.with(|operation| {
    operation
        .param("id", id())
        .param("to", Param::string().describe("Another checkpoint; without it, what is there now."))
        .pages(&ALL)
        .request_ms(30_000)
});

/// The gateway gives no more at a time.
const LARGEST_PAGE: u32 = 10_000;

/// Long keys are looked up one by one, and a request may make 1,000 storage calls.
const MAX_LOOKED_UP: usize = 500;

#[derive(Serialize)]
struct Answer {
    items: Vec<Item>,
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
}

#[derive(Serialize)]
struct Item {
    /// In base64url.
    key: String,
    kind: &'static str,
}

fn diff(request: &Request) -> Result<Response, Failure> {
    let of = Of { from: request.path("id"), to: request.query("to") };
    let page = request.page()?;
    let after = page.after.as_deref().map(|cursor| of.after(cursor)).transpose()?;
    let total = page.total.then(|| total(of)).transpose()?;
    let mut differences = found(checkpoint::diff(of.from, of.to, after.as_ref(), page.limit + 1))?;
    let count = differences.len();
    differences.truncate(page_length(&differences, page.limit as usize));
    let last = differences.last().filter(|_| differences.len() < count);
    let next_cursor = last.map(|last| of.cursor(&last.id));
    let items = differences.iter().map(|difference| item(of, difference));
    Response::serialize(
        200,
        &Answer { items: items.collect::<Result<_, _>>()?, next_cursor, total },
    )
}

/// How many of these make a page.
fn page_length(differences: &[Difference], limit: usize) -> usize {
    let long = differences.iter().enumerate().filter(|(_, found)| Key::of_id(&found.id).is_none());
    let end = long.map(|(place, _)| place).nth(MAX_LOOKED_UP);
    end.unwrap_or(differences.len()).min(limit)
}

fn total(of: Of<'_>) -> Result<usize, Failure> {
    let (mut total, mut after) = (0, None);
    loop {
        let differences = found(checkpoint::diff(of.from, of.to, after.as_ref(), LARGEST_PAGE))?;
        total += differences.len();
        if differences.len() < LARGEST_PAGE as usize {
            return Ok(total);
        }
        after = differences.into_iter().next_back();
    }
}

fn item(of: Of<'_>, difference: &Difference) -> Result<Item, Failure> {
    let key = match Key::of_id(&difference.id) {
        Some(key) => key.text(),
        None => look_up(of, difference)?,
    };
    let kind = match difference.kind {
        DifferenceKind::Added => "added",
        DifferenceKind::Removed => "removed",
        DifferenceKind::Changed => "changed",
    };
    Ok(Item { key, kind })
}

/// The key of a document whose id is a digest, where the document is.
fn look_up(of: Of<'_>, difference: &Difference) -> Result<String, Failure> {
    let id = difference.id.as_str();
    let checkpoint = match difference.kind {
        DifferenceKind::Added => of.to,
        DifferenceKind::Removed | DifferenceKind::Changed => Some(of.from),
    };
    let body = match checkpoint {
        Some(checkpoint) => {
            let read = checkpoint::read(checkpoint, ENTRIES.name(), Some(&just_before(id)), 1)?;
            read.into_iter().next().map(|document| document.body)
        }
        None => ENTRIES.get_json(id)?.map(|document| document.body),
    };
    let body = body.ok_or_else(|| Error::Other(format!("{id} is in no checkpoint")))?;
    Ok(Entry::read(&body)?.key.to_owned())
}

/// A text that stands before an id, and behind all ids before it: digests are of equal length, and
/// `~` comes behind every digit.
fn just_before(id: &str) -> String {
    let mut text = id.to_owned();
    if let Some(last) = text.pop() {
        text.push(char::from_u32(u32::from(last) - 1).unwrap_or_default());
        text.push('~');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(id: &str) -> Difference {
        Difference {
            collection: "entry".to_owned(),
            id: id.to_owned(),
            kind: DifferenceKind::Added,
        }
    }

    #[test]
    fn nothing_stands_between_an_id_and_what_is_just_before_it() {
        for (before, id) in [("~aaf", "~ab0"), ("~ab0", "~ab1"), ("~ab9", "~aba"), ("~aba", "~abb")]
        {
            let between = just_before(id);
            assert!(before < between.as_str() && between.as_str() < id, "{between}");
        }
    }

    #[test]
    fn a_page_ends_where_too_many_keys_would_be_looked_up() {
        let short: Vec<_> = (0..10).map(|n| difference(&format!("{n:04x}"))).collect();
        assert_eq!(page_length(&short, 20), 10);
        assert_eq!(page_length(&short, 3), 3);
        let long: Vec<_> = (0..=MAX_LOOKED_UP).map(|n| difference(&format!("~{n:04x}"))).collect();
        assert_eq!(page_length(&long, 1_000), MAX_LOOKED_UP);
    }
}
