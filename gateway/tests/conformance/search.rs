//! Full text: the same documents, ranks and highlights on both databases, exact after every kind
//! of write, and nothing of another tenant.

use std::collections::BTreeMap;

use loggia::manifest::Mode;
use loggia::storage::{Change, Expiry, Page, Precondition, Value, Write};
use serde_json::{Value as Json, json};

use crate::harness::store::{TestStore, install, put, version, write};
use crate::harness::stores_on_both_databases;
use crate::indexes::assert_refused;

stores_on_both_databases! { declaring notes:
    words_are_found_whatever_their_form,
    ranks_are_those_of_the_formula,
    pages_in_the_order_of_the_rank_give_all_rows_once,
    highlights_mark_what_was_found,
    a_search_index_serves_a_statement,
    tenants_and_expired_documents_stay_apart,
    every_write_keeps_the_index_exact,
    a_call_that_failed_leaves_the_index_as_it_was,
    cascades_and_sweeps_empty_the_index,
    texts_are_found_by_pointers,
    a_long_text_is_a_field_and_is_found,
    a_search_joins_groups_and_negates,
    updates_and_deletes_go_by_what_is_found,
    a_searched_field_cannot_be_set_by_an_update,
    faults_of_search_are_found_when_a_manifest_is_loaded,
    random_texts_are_found_as_by_looking_at_each,
    a_search_index_comes_changes_and_goes_with_the_manifest,
}

fn notes() -> Json {
    let found = "SELECT id, rank(words, :q) AS rank FROM note WHERE match(words, :q)";
    json!({
        "collections": [
            {"name": "folder", "fields": {"name": "text"}},
            {"name": "note", "expires": true,
                "fields": {"title": "text", "tags": "text[]", "folder": "text", "n": "integer",
                    "content": {"type": "text", "max_bytes": 20_000}},
                "indexes": [{"name": "words", "search": ["title", "tags", "content"]},
                            {"name": "titles", "search": ["title"]}],
                "references": [{"name": "folder", "field": "folder", "collection": "folder", "on_delete": "cascade"}]},
            {"name": "chunk", "fields": {"session": "text"}, "indexes": [
                {"name": "turns", "search":
                    ["/title", "/turns/*/userMessage", "/turns/*/agentResponses/*/response"]}]},
        ],
        "statements": [
            {"name": "found", "select": found, "order": {"best": "rank DESC"}},
            {"name": "titled", "select": "SELECT id FROM note", "where": ["match(titles, :q)"]},
            {"name": "marked", "select": "SELECT id, highlight(title, :q) AS title, \
                highlight(content, :q) AS content, title AS plain FROM note"},
            {"name": "turns", "select": "SELECT id FROM chunk WHERE match(turns, :q)"},
            {"name": "not", "select": "SELECT id FROM note WHERE NOT match(words, :q)"},
            {"name": "either", "select":
                "SELECT id FROM note WHERE match(words, :q) OR match(titles, :other) OR n > 100"},
            {"name": "ranks", "select": "SELECT id, rank(words, :q) AS rank FROM note"},
            {"name": "folders", "select": "SELECT f.id, count(n.id) AS n, max(rank(n.words, :q)) AS best \
                FROM folder f LEFT JOIN note n ON n.folder = f.id AND match(n.words, :q) GROUP BY f.id"},
            {"name": "within", "select": "SELECT f.id FROM folder f WHERE EXISTS \
                (SELECT 1 FROM note n WHERE n.folder = f.id AND match(n.words, :q))"},
            {"name": "several", "select": "SELECT s.id, s.r FROM (SELECT id, rank(titles, :q) AS r \
                FROM note WHERE match(titles, :q)) AS s WHERE s.r > 0.5"},
            {"name": "mark", "update": "note", "set": {"n": "coalesce(n, 0) + 1"}, "where": "match(words, :q)"},
            {"name": "drop", "delete": "note", "where": "match(words, :q)"},
        ],
    })
}

fn q(text: &str) -> [(&'static str, Value); 1] {
    [("q", Value::Text(text.to_owned()))]
}

async fn ids(store: &TestStore, statement: &str, query: &str) -> String {
    let rows = store.select(statement, &q(query)).await;
    let mut ids: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids.join(" ")
}

/// How many documents the side tables of `SQLite` hold.
async fn indexed(store: &TestStore) -> Option<[u64; 2]> {
    if !store.is_sqlite() {
        return None;
    }
    // The table that FTS5 keeps for itself has a row for each document. Its name has a digest of
    // the index's definition in it.
    let count = async |index: &str| {
        let sql = format!(
            "SELECT name FROM sqlite_master WHERE name LIKE 'test\\_\\_note\\_\\_{index}%docsize' ESCAPE '\\'"
        );
        let tables = store.database.query(&sql).await;
        store.database.count(&tables[0][0]).await
    };
    Some([count("words").await, count("titles").await])
}

async fn words_are_found_whatever_their_form(store: TestStore) {
    for (id, title, content) in [
        ("1", "The quick brown Fox", "jumps over the lazy dog"),
        ("2", "Crème brûlée", "A dessert, foxy: crème, sugar & fire"),
        ("3", "ΛΌΓΟΣ", "Ёлка in the 東京タワー; İstanbul; e-mail v2.0"),
        ("4", "quickly", ""),
    ] {
        store.put("note", id, &json!({"title": title, "content": content})).await;
    }
    store.put("note", "5", &json!({"tags": ["fox", "brown bear"], "title": null})).await;
    store.put("note", "6", &json!({})).await;
    for (query, expected) in [
        ("fox", "1 5"),
        ("FOX!", "1 5"),
        ("fox*", "1 2 5"),
        ("quick* ", "1 4"),
        ("fox brown", "1 5"),
        ("fox lazy", "1"),
        ("fox missing", ""),
        ("creme", "2"),
        ("CRE\u{300}ME bru*", "2"),
        ("λογος", "3"),
        ("елка", "3"),
        ("京", "3"),
        ("東京", "3"),
        ("istanbul", "3"),
        ("e mail", "3"),
        ("v2.0", "3"),
        ("v2", "3"),
        ("\"fox\" AND (NOT* NEAR", ""),
        ("' OR 1=1 --", ""),
        ("x:fox -fox ^fox {fox}", ""),
        ("fox:fox", "1 5"),
        ("", ""),
        ("*", ""),
        ("...", ""),
        ("1x", ""),
        ("bear", "5"),
    ] {
        assert_eq!(ids(&store, "found", query).await, expected, "{query}");
        let not: Vec<_> = ["1", "2", "3", "4", "5", "6"]
            .into_iter()
            .filter(|id| !expected.split(' ').any(|found| found == *id))
            .collect();
        assert_eq!(ids(&store, "not", query).await, not.join(" "), "NOT {query}");
    }
    assert_eq!(ids(&store, "titled", "fox").await, "1");
    assert_eq!(store.select("titled", &[]).await.as_array().unwrap().len(), 6);
    assert_eq!(store.select("found", &[("q", Value::Null)]).await, json!([]));
    assert_eq!(store.select("not", &[("q", Value::Null)]).await.as_array().unwrap().len(), 6);
}

/// The formula of `storage/words/rank.rs` in doubles.
fn formula(counts: &[&[u32]]) -> f64 {
    let of_word = |count: u32| (1..=count.min(15)).map(|n| 1.0 / f64::from(n * n)).sum::<f64>();
    let limit = std::f64::consts::PI.powi(2) / 6.0;
    let sum: f64 = counts.iter().map(|words| words.iter().map(|n| of_word(*n)).sum::<f64>()).sum();
    sum / limit / f64::from(u32::try_from(counts.len()).unwrap())
}

async fn ranks_are_those_of_the_formula(store: TestStore) {
    store.put("note", "1", &json!({"title": "a a a b", "content": "ab abc abc"})).await;
    store.put("note", "2", &json!({"content": "a ".repeat(100)})).await;
    store.put("note", "3", &json!({"title": "b"})).await;
    store.put("note", "4", &json!({})).await;
    // What `ts_rank` gave when it was asked by hand: the same bits on both databases.
    let exact: [(&str, [u64; 4]); 4] = [
        ("a", [0x3fea_7a85_c000_0000, 0x3fee_becf_e000_0000, 0, 0]),
        ("a b", [0x3fe6_f754_a000_0000, 0x3fde_becf_e000_0000, 0x3fd3_7423_8000_0000, 0]),
        ("a*", [0x4001_8ff5_6000_0000, 0x3fee_becf_e000_0000, 0, 0]),
        ("", [0, 0, 0, 0]),
    ];
    let near = [
        [formula(&[&[3]]), formula(&[&[15]]), 0.0, 0.0],
        [formula(&[&[3], &[1]]), formula(&[&[15], &[]]), formula(&[&[], &[1]]), 0.0],
        [formula(&[&[3, 1, 2]]), formula(&[&[15]]), 0.0, 0.0],
        [0.0; 4],
    ];
    for ((query, bits), near) in exact.into_iter().zip(near) {
        let rows = store.select("ranks", &q(query)).await;
        for place in 0..4 {
            let rank = rows[place]["rank"].as_f64().unwrap();
            assert!((rank - near[place]).abs() < 1e-6, "{query} {place}: {rank} {}", near[place]);
            assert_eq!(rank.to_bits(), bits[place], "{query} {place}: {:x}", rank.to_bits());
        }
    }
}

async fn pages_in_the_order_of_the_rank_give_all_rows_once(store: TestStore) {
    for number in 0..40_usize {
        let title = "word ".repeat(number % 7 + 1);
        store.put("note", &format!("{number:02}"), &json!({"title": title})).await;
    }
    let mut page = Page { limit: 6, order: Some("best".to_owned()), ..Page::default() };
    let (mut all, mut last) = (Vec::new(), f64::MAX);
    loop {
        let rows = store.try_select("found", &q("word"), Some(&page)).await.unwrap();
        let json: Json = serde_json::from_str(&rows.json).unwrap();
        for row in json.as_array().unwrap() {
            let rank = row["rank"].as_f64().unwrap();
            assert!(rank <= last);
            last = rank;
            all.push(row["id"].as_str().unwrap().to_owned());
        }
        match rows.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    assert_eq!(all.first().map(String::as_str), Some("34"), "of equal ranks the last id");
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 40);
}

async fn highlights_mark_what_was_found(store: TestStore) {
    let body = json!({"title": "A <Café> & cafe\u{301}s", "content": "tea"});
    store.put("note", "1", &body).await;
    store.put("note", "2", &json!({"title": null})).await;
    let rows = store.select("marked", &q("CAFE te*")).await;
    assert_eq!(
        rows,
        json!([
            {"id": "1", "title": "A &lt;<mark>Café</mark>&gt; &amp; cafe\u{301}s",
                "content": "<mark>tea</mark>", "plain": "A <Café> & cafe\u{301}s"},
            {"id": "2", "title": null, "content": null, "plain": null},
        ])
    );
    let rows = store.select("marked", &[("q", Value::Null)]).await;
    assert_eq!(rows[0]["title"], "A &lt;Café&gt; &amp; cafe\u{301}s");
}

async fn a_search_index_serves_a_statement(store: TestStore) {
    for number in 0..300 {
        store.put("note", &number.to_string(), &json!({"title": format!("t{number}")})).await;
    }
    let select = "SELECT id FROM note WHERE match(words, :q)";
    if store.is_sqlite() {
        let plan = store.database.plan(&notes(), select, &[]).await;
        assert!(plan.contains("SEARCH d USING INTEGER PRIMARY KEY (rowid=?)"), "{plan}");
        assert!(plan.contains("SCAN w VIRTUAL TABLE INDEX"), "{plan}");
    } else {
        store.database.query("ANALYZE").await;
        let plan = store.database.plan(&notes(), select, &["1", "1", "'''1xt7'''"]).await;
        assert!(plan.contains("Bitmap Index Scan on test__note__words"), "{plan}");
    }
    assert_eq!(ids(&store, "found", "t7").await, "7");
}

async fn tenants_and_expired_documents_stay_apart(store: TestStore) {
    let other = store.as_tenant("two").await;
    store.put("note", "1", &json!({"title": "shared mine"})).await;
    let alone = store.select("ranks", &q("shared")).await;
    for number in 0..20 {
        other.put("note", &number.to_string(), &json!({"title": "shared theirs"})).await;
    }
    assert_eq!(ids(&store, "found", "shared").await, "1");
    assert_eq!(ids(&store, "found", "sh*").await, "1");
    assert_eq!(ids(&store, "found", "theirs").await, "");
    assert_eq!(ids(&other, "found", "mine").await, "");
    assert_eq!(other.select("found", &q("shared")).await.as_array().unwrap().len(), 20);
    assert_eq!(store.select("ranks", &q("shared")).await, alone, "others do not move a rank");
    // The words of a tenant begin with its number, which is no word of another's.
    for number in 1..4 {
        assert_eq!(ids(&store, "found", &format!("{number}xtheirs")).await, "");
        assert_eq!(ids(&store, "found", &format!("{number}*")).await, "");
    }
    let past = Expiry::At(store.storage.now() - 1);
    let gone = Write { expiry: past, ..put("note", "2", &json!({"title": "shared"})) };
    store.apply(&[gone]).await.unwrap();
    assert_eq!(ids(&store, "found", "shared").await, "1");
}

async fn every_write_keeps_the_index_exact(store: TestStore) {
    let title = |title: &str| json!({"title": title, "n": 1});
    let check = async |expected: &[(&str, &str)], size: u64| {
        for word in ["one", "two", "three", "four", "five", "six"] {
            let found: Vec<&str> =
                expected.iter().filter(|(known, _)| *known == word).map(|(_, id)| *id).collect();
            assert_eq!(ids(&store, "found", word).await, found.join(" "), "{word}");
        }
        if let Some(indexed) = indexed(&store).await {
            assert_eq!(indexed, [size, size]);
        }
    };
    store.put("note", "a", &title("one")).await;
    store.put("note", "b", &json!({"n": 1})).await;
    check(&[("one", "a")], 1).await;
    let of_a = store.put("note", "a", &title("two")).await;
    store.put("note", "b", &title("one")).await;
    check(&[("one", "b"), ("two", "a")], 2).await;
    // By version, as a merge, as an insert, and a document that loses its words.
    let conditional = |change, condition| Write { condition, ..write("note", "a", change) };
    let put_three = Change::Put(title("three").to_string());
    store.apply(&[conditional(put_three, Precondition::Version(of_a))]).await.unwrap();
    check(&[("one", "b"), ("three", "a")], 2).await;
    let merge = Change::Merge(json!({"title": "four"}).to_string());
    store.apply(&[conditional(merge, Precondition::Present)]).await.unwrap();
    store.apply(&[write("note", "b", Change::Merge(json!({"n": 2}).to_string()))]).await.unwrap();
    check(&[("four", "a"), ("one", "b")], 2).await;
    let lost = Change::Merge(json!({"title": null}).to_string());
    store.apply(&[write("note", "b", lost)]).await.unwrap();
    check(&[("four", "a")], 1).await;
    // Many at once, and each in a call of its own.
    let many: Vec<Write> =
        ["c", "d", "e"].into_iter().map(|id| put("note", id, &title("five six"))).collect();
    store.apply(&many).await.unwrap();
    let mut session = store.session(Mode::Autocommit);
    session.apply(&[put("note", "c", &title("one"))]).await.unwrap();
    session.commit().await.unwrap();
    check(
        &[("one", "c"), ("four", "a"), ("five", "d"), ("five", "e"), ("six", "d"), ("six", "e")],
        4,
    )
    .await;
    // Merges of many, deletes of many.
    let merges = ["d", "e"].map(|id| {
        write("note", id, Change::Merge(json!({"title": format!("two {id}")}).to_string()))
    });
    store.apply(&merges).await.unwrap();
    check(&[("one", "c"), ("four", "a"), ("two", "d"), ("two", "e")], 4).await;
    let deletes = ["a", "b", "c", "d"].map(|id| write("note", id, Change::Delete));
    store.apply(&deletes).await.unwrap();
    check(&[("two", "e")], 1).await;
    // The row of an expired document is taken over.
    let past = Expiry::At(store.storage.now() - 1);
    store.apply(&[Write { expiry: past, ..put("note", "f", &title("three")) }]).await.unwrap();
    check(&[("two", "e")], 2).await;
    store.put("note", "f", &title("six")).await;
    check(&[("two", "e"), ("six", "f")], 2).await;
}

async fn a_call_that_failed_leaves_the_index_as_it_was(store: TestStore) {
    let written = store.put("note", "1", &json!({"title": "one"})).await;
    let mut session = store.session(Mode::Write);
    let wrong = Write {
        condition: Precondition::Version(written + 1_000),
        ..put("note", "2", &json!({"title": "two"}))
    };
    session.apply(&[put("note", "1", &json!({"title": "two"})), wrong]).await.unwrap_err();
    let outcomes = session.apply(&[put("note", "3", &json!({"title": "three"}))]).await.unwrap();
    version(&outcomes[0]);
    session.commit().await.unwrap();
    let mut dropped = store.session(Mode::Write);
    dropped.apply(&[put("note", "1", &json!({"title": "four"}))]).await.unwrap();
    drop(dropped);
    for (word, expected) in [("one", "1"), ("two", ""), ("three", "3"), ("four", "")] {
        assert_eq!(ids(&store, "found", word).await, expected, "{word}");
    }
    assert_eq!(indexed(&store).await.unwrap_or([2, 2]), [2, 2]);
}

async fn cascades_and_sweeps_empty_the_index(store: TestStore) {
    store.put("folder", "f", &json!({"name": "f"})).await;
    for id in ["1", "2"] {
        store.put("note", id, &json!({"title": "inside", "folder": "f"})).await;
    }
    let past = Expiry::At(store.storage.now() - 1);
    let gone = put("note", "3", &json!({"title": "expired"}));
    store.apply(&[Write { expiry: past, ..gone }]).await.unwrap();
    assert_eq!(ids(&store, "found", "inside").await, "1 2");
    store.apply(&[write("folder", "f", Change::Delete)]).await.unwrap();
    assert_eq!(ids(&store, "found", "inside").await, "");
    store.storage.sweep_expired(store.storage.now()).await.unwrap();
    assert_eq!(store.database.count("test__note").await, 0);
    assert_eq!(indexed(&store).await.unwrap_or([0, 0]), [0, 0]);
    // The numbers of rows begin anew, and nothing old is found at them.
    store.put("note", "1", &json!({"title": "fresh"})).await;
    assert_eq!(ids(&store, "found", "inside").await, "");
    assert_eq!(ids(&store, "found", "fresh").await, "1");
}

async fn texts_are_found_by_pointers(store: TestStore) {
    let turn = |user: &str, agents: &[&str]| {
        let responses: Vec<Json> =
            agents.iter().map(|text| json!({"agentId": "hidden", "response": text})).collect();
        json!({"sequence": 1, "userMessage": user, "agentResponses": responses})
    };
    let chunk = json!({"session": "s", "title": "Travel",
        "turns": [turn("where to go", &["Norway", "or Peru"]), turn("thanks", &[])]});
    store.put("chunk", "1", &chunk).await;
    store.put("chunk", "2", &json!({"turns": [], "title": 7})).await;
    for (query, expected) in [
        ("travel", "1"),
        ("where peru thanks", "1"),
        ("hidden", ""),
        ("s", ""),
        ("7", ""),
        ("sequence", ""),
    ] {
        assert_eq!(ids(&store, "turns", query).await, expected, "{query}");
    }
    let merge = json!({"turns": [turn("nothing", &[])]}).to_string();
    store.apply(&[write("chunk", "1", Change::Merge(merge))]).await.unwrap();
    assert_eq!(ids(&store, "turns", "peru").await, "");
    assert_eq!(ids(&store, "turns", "travel nothing").await, "1");
}

async fn a_long_text_is_a_field_and_is_found(store: TestStore) {
    let content = format!("{} end", "é ".repeat(6_000));
    store.put("note", "1", &json!({"content": content})).await;
    assert_eq!(ids(&store, "found", "end").await, "1");
    let too_long = json!({"content": "x".repeat(20_001)});
    let refused = store.apply(&[put("note", "1", &too_long)]).await.unwrap_err();
    assert!(refused.to_string().contains("content must be at most 20000 bytes"), "{refused}");
    let title = json!({"title": "x".repeat(2_049)});
    let refused = store.apply(&[put("note", "1", &title)]).await.unwrap_err();
    assert!(refused.to_string().contains("title must be at most 2048 bytes"), "{refused}");
    // What is beyond the limits of an index is not found, and does no harm.
    let words: String = (0..9_000).map(|number| format!("w{number} ")).collect();
    store.put("chunk", "1", &json!({"title": words})).await;
    assert_eq!(ids(&store, "turns", "w8191").await, "1");
    assert_eq!(ids(&store, "turns", "w8192").await, "");
    let long = format!("{} behind", "a ".repeat(140_000));
    store.put("chunk", "2", &json!({"title": long})).await;
    assert_eq!(ids(&store, "turns", "behind").await, "");
    store.put("chunk", "3", &json!({"title": "y".repeat(100)})).await;
    assert_eq!(ids(&store, "turns", &"y".repeat(90)).await, "3", "the first 64 bytes count");
}

async fn a_search_joins_groups_and_negates(store: TestStore) {
    for id in ["f", "g"] {
        store.put("folder", id, &json!({"name": id})).await;
    }
    for (id, folder, title) in [("1", "f", "apple pie"), ("2", "f", "apple"), ("3", "g", "pear")] {
        store.put("note", id, &json!({"title": title, "folder": folder})).await;
    }
    let rows = store.select("folders", &q("apple")).await;
    let best = f64::from(0.607_927_1_f32);
    assert_eq!(rows, json!([{"id": "f", "n": 2, "best": best}, {"id": "g", "n": 0, "best": null}]));
    assert_eq!(ids(&store, "within", "pear").await, "g");
    assert_eq!(ids(&store, "within", "p*").await, "f g");
    assert_eq!(ids(&store, "several", "apple").await, "1 2");
    let either = [("q", Value::Text("pie".to_owned())), ("other", Value::Text("pear".to_owned()))];
    let rows = store.select("either", &either).await;
    assert_eq!(rows, json!([{"id": "1"}, {"id": "3"}]));
}

async fn updates_and_deletes_go_by_what_is_found(store: TestStore) {
    for (id, title) in [("1", "apple"), ("2", "apple pie"), ("3", "pear")] {
        store.put("note", id, &json!({"title": title})).await;
    }
    let argument = [("q".to_owned(), Value::Text("apple".to_owned()))];
    let mut session = store.session(Mode::Write);
    let changed = session.update_where("mark", &argument, 0).await.unwrap();
    assert_eq!(changed.len(), 2);
    session.commit().await.unwrap();
    assert_eq!(ids(&store, "found", "apple").await, "1 2");
    let mut session = store.session(Mode::Write);
    assert_eq!(session.delete_where("drop", &argument, 0).await.unwrap(), 2);
    session.commit().await.unwrap();
    assert_eq!(ids(&store, "found", "p*").await, "3");
    assert_eq!(indexed(&store).await.unwrap_or([1, 1]), [1, 1]);
}

async fn a_searched_field_cannot_be_set_by_an_update(store: TestStore) {
    let collections = notes()["collections"].clone();
    for (set, index) in [("title", "words"), ("content", "words"), ("tags", "words")] {
        let declared = json!({"name": "other", "collections": collections, "statements": [
            {"name": "s", "update": "note", "set": {set: "NULL"}, "where": "id = :id"}]});
        let refused = install(&store.storage, &declared).await.unwrap_err().to_string();
        let expected =
            format!("{set} cannot be set: the search index {index} is made of its words");
        assert!(refused.contains(&expected), "{refused}");
    }
}

async fn faults_of_search_are_found_when_a_manifest_is_loaded(store: TestStore) {
    for (index, expected) in [
        (json!({"search": ["n"]}), "n is integer; search takes text, text[] or JSON Pointers"),
        (json!({"search": ["meta"]}), "meta is json; search takes"),
        (json!({"search": ["state"]}), "state is not a declared field"),
        (json!({"search": ["/*/a"]}), "a document is no array"),
        (json!({"search": []}), "/collections/0/indexes/0/search"),
        (json!({"search": ["a b"]}), "/collections/0/indexes/0/search"),
        (json!({"search": ["word"], "fields": ["n"]}), "/collections/0/indexes/0"),
        (json!({"search": ["word"], "unique": true}), "/collections/0/indexes/0"),
    ] {
        let mut index = index;
        index["name"] = json!("i");
        assert_refused(&store, json!([index]), expected).await;
    }
    for (fields, indexes, expected) in [
        (
            json!({"n": {"type": "integer", "max_bytes": 10}}),
            json!([]),
            "integer takes no max_bytes",
        ),
        (json!({"t": {"type": "text", "max_bytes": 0}}), json!([]), "max_bytes"),
        (
            json!({"t": {"type": "text", "max_bytes": 2_049}}),
            json!([{"name": "i", "fields": ["t"]}]),
            "t takes more than 2048 bytes, which an index by order does not",
        ),
    ] {
        let collection = json!({"name": "other", "fields": fields, "indexes": indexes});
        let declared = json!({"name": "other", "collections": [collection]});
        let refused = install(&store.storage, &declared).await.unwrap_err().to_string();
        assert!(refused.contains(expected), "{expected}: {refused}");
    }
    for (select, expected) in [
        ("SELECT id FROM note WHERE match(nothing, :q)", "no search index nothing here"),
        ("SELECT id FROM note WHERE match(title, :q)", "no search index title here"),
        ("SELECT id FROM note WHERE match(n.words, :q)", "no search index n.words here"),
        ("SELECT words FROM note", "no column words here"),
        ("SELECT id FROM note WHERE words = :q", "no column words here"),
        ("SELECT id FROM note WHERE match(words)", "match takes a search index and a parameter"),
        (
            "SELECT id FROM note WHERE match(lower(title), :q)",
            "match takes the name of a search index",
        ),
        ("SELECT id FROM note WHERE match(words, 'a')", "what is searched for must be a parameter"),
        (
            "SELECT id FROM note WHERE match(words, title)",
            "what is searched for must be a parameter",
        ),
        (
            "SELECT id FROM note WHERE match(words, :q) AND n = :q",
            "this is text, where integer is needed",
        ),
        (
            "SELECT a.id FROM note a JOIN note b ON a.id = b.id WHERE match(words, :q)",
            "words is ambiguous",
        ),
        (
            "SELECT s.id FROM (SELECT id FROM note) AS s WHERE match(s.words, :q)",
            "no search index s.words",
        ),
        ("SELECT folder FROM note GROUP BY folder HAVING match(words, :q)", "must be in GROUP BY"),
        ("SELECT rank() AS r FROM note", "rank needs OVER"),
        ("SELECT id FROM note WHERE highlight(title, :q) = 'a'", "highlight stands alone"),
        ("SELECT lower(highlight(title, :q)) AS a FROM note", "highlight stands alone"),
        (
            "SELECT s.a FROM (SELECT highlight(title, :q) AS a FROM note) AS s",
            "highlight stands alone",
        ),
        (
            "SELECT highlight(title, :q) AS a FROM note UNION SELECT title FROM note",
            "highlight stands alone",
        ),
        (
            "SELECT id FROM note WHERE EXISTS (SELECT highlight(title, :q) AS a FROM note)",
            "highlight stands alone",
        ),
        ("SELECT highlight(n, :q) AS a FROM note", "this is integer, where text is needed"),
        ("SELECT highlight(title) AS a FROM note", "highlight takes a text and a parameter"),
    ] {
        let declared = json!({"name": "other", "collections": notes()["collections"],
            "statements": [{"name": "s", "select": select}]});
        let refused = install(&store.storage, &declared).await.unwrap_err().to_string();
        assert!(refused.contains(expected), "{select}: {refused}");
    }
}

/// A generator of numbers that is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % limit
    }
}

async fn random_texts_are_found_as_by_looking_at_each(store: TestStore) {
    const WORDS: [&str; 12] = [
        "tree",
        "trees",
        "treehouse",
        "Café",
        "cafés",
        "naïve",
        "Zürich",
        "1984",
        "ЛЕС",
        "лесной",
        "ÅNGSTRÖM",
        "end",
    ];
    const FOLDED: [&str; 12] = [
        "tree",
        "trees",
        "treehouse",
        "cafe",
        "cafes",
        "naive",
        "zurich",
        "1984",
        "лес",
        "леснои",
        "angstrom",
        "end",
    ];
    let mut numbers = Numbers(7);
    let mut stored: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for _ in 0..120 {
        let id = format!("{:02}", numbers.below(40));
        if numbers.below(5) == 0 {
            store.apply(&[write("note", &id, Change::Delete)]).await.unwrap();
            stored.remove(&id);
            continue;
        }
        let words: Vec<usize> =
            (0..numbers.below(8)).map(|_| usize::try_from(numbers.below(12)).unwrap()).collect();
        let title: Vec<&str> = words.iter().map(|word| WORDS[*word]).collect();
        store.put("note", &id, &json!({"title": title.join(" — ")})).await;
        stored.insert(id, words);
    }
    let mut found_any = 0;
    for (place, word) in FOLDED.iter().enumerate() {
        let other = FOLDED[(place * 5 + 3) % 12];
        for (query, wanted) in [
            ((*word).to_owned(), vec![(*word, false)]),
            (format!("{word}*"), vec![(*word, true)]),
            (
                format!("{} {other}", WORDS[place].to_uppercase()),
                vec![(*word, false), (other, false)],
            ),
            (format!("{other}* / {word}"), vec![(*word, false), (other, true)]),
        ] {
            let has = |words: &[usize], (wanted, prefix): &(&str, bool)| {
                words.iter().map(|known| FOLDED[*known]).any(|known| match prefix {
                    true => known.starts_with(wanted),
                    false => known == *wanted,
                })
            };
            let expected: Vec<&str> = stored
                .iter()
                .filter(|(_, words)| wanted.iter().all(|wanted| has(words, wanted)))
                .map(|(id, _)| id.as_str())
                .collect();
            assert_eq!(ids(&store, "found", &query).await, expected.join(" "), "{query}");
            found_any += expected.len();
        }
    }
    assert!(found_any > 100);
}

async fn a_search_index_comes_changes_and_goes_with_the_manifest(store: TestStore) {
    let declared = |indexes: Json, statements: Json| {
        let fields = json!({"title": "text", "text": "text", "tags": "text[]"});
        let collection = json!({"name": "page", "fields": fields, "indexes": indexes});
        json!({"name": "pages", "collections": [collection], "statements": statements})
    };
    let search =
        |of: Json| json!([{"name": "words", "search": of}, {"name": "tags", "contains": ["tags"]}]);
    let found = json!([{"name": "found", "select": "SELECT id FROM page WHERE match(words, :q)"}]);
    let with = async |indexes: Json, statements: Json| {
        let schema = install(&store.storage, &declared(indexes, statements)).await.unwrap();
        let (storage, database) = (store.storage.clone(), store.database.clone());
        TestStore { schema, storage, database, tenant: store.tenant }
    };
    let pages = with(json!([]), json!([])).await;
    pages.put("page", "1", &json!({"title": "old title", "text": "old text"})).await;
    pages.put("page", "2", &json!({"title": "other"})).await;
    pages.as_tenant("two").await.put("page", "3", &json!({"title": "old theirs"})).await;
    let pages = with(search(json!(["title"])), found.clone()).await;
    assert_eq!(ids(&pages, "found", "old").await, "1");
    assert_eq!(ids(&pages, "found", "text").await, "");
    pages.put("page", "4", &json!({"title": "old and new"})).await;
    assert_eq!(ids(&pages, "found", "old").await, "1 4");
    let pages = with(search(json!(["text"])), found.clone()).await;
    assert_eq!(ids(&pages, "found", "title").await, "");
    assert_eq!(ids(&pages, "found", "text").await, "1");
    let pages = with(json!([]), json!([])).await;
    pages.put("page", "5", &json!({"text": "without"})).await;
    let tables = if pages.is_sqlite() {
        "SELECT name FROM sqlite_master WHERE name LIKE 'pages%words%'"
    } else {
        "SELECT relname::text FROM pg_class WHERE relname LIKE 'pages%words%'"
    };
    assert!(pages.database.query(tables).await.is_empty(), "nothing of it is left");
    let pages = with(search(json!(["text", "title"])), found).await;
    assert_eq!(ids(&pages, "found", "without").await, "5");
    assert_eq!(ids(&pages, "found", "old").await, "1 4");
}
