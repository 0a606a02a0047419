//! `GET /guilds/{guild}/messages`.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{HOUR, SECOND, ago, each, message, typing};
use crate::harness::faults::patient;
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    messages_are_found_by_words_and_ranked,
    accents_and_case_do_not_count,
    hits_are_shown_with_marks,
    hits_are_filtered,
    the_newest_ten_thousand_hits_are_ranked with patient,
}

async fn search(gateway: &TestGateway, query: &str, more: &str) -> Value {
    let query = utf8_percent_encode(query, NON_ALPHANUMERIC);
    gateway.seen(&format!("guilds/g/messages?q={query}{more}")).await
}

async fn found(gateway: &TestGateway, query: &str) -> Vec<Value> {
    each(&search(gateway, query, "").await["items"], "content")
}

async fn messages_are_found_by_words_and_ranked(gateway: &TestGateway) {
    let events = [
        message("u", 5, "the gateway sleeps"),
        message("u", 4, "gateway, gateway and gateway"),
        message("u", 3, "two: gateway gateway"),
        message("u", 2, "a gate"),
        message("u", 1, "a gateway that sleeps and sleeps"),
    ];
    gateway.at_noon().ingest(&events).await;
    let once = ["a gateway that sleeps and sleeps", "the gateway sleeps"];
    // More occurrences go first, and of equal ones the newer.
    let all = ["gateway, gateway and gateway", "two: gateway gateway", once[0], once[1]];
    assert_eq!(found(gateway, "gateway").await, all);
    assert_eq!(found(gateway, "Sleeps gateway").await, once);
    assert_eq!(found(gateway, "gate").await, ["a gate"]);
    assert_eq!(found(gateway, "gate*").await.len(), 5);
    assert_eq!(found(gateway, "nothing").await, [""; 0]);
    assert_eq!(found(gateway, "...").await, [""; 0]);
    let two = search(gateway, "gateway", "&limit=2").await;
    assert_eq!(each(&two["items"], "content"), all[..2]);
    assert_eq!(two["more_hits"], false);
}

async fn accents_and_case_do_not_count(gateway: &TestGateway) {
    let texts = ["Café au lait", "CAFE noir", "Das Mädchen grüßt", "naïve résumé", "日本語 テスト"];
    let events: Vec<Value> =
        texts.iter().zip(0..).map(|(text, at)| message("u", at, text)).collect();
    gateway.at_noon().ingest(&events).await;
    assert_eq!(found(gateway, "café").await, texts[..2]);
    assert_eq!(found(gateway, "cafe").await, texts[..2]);
    assert_eq!(found(gateway, "madchen").await, texts[2..3]);
    assert_eq!(found(gateway, "RESUME naive").await, texts[3..4]);
    assert_eq!(found(gateway, "日").await, texts[4..]);
}

async fn hits_are_shown_with_marks(gateway: &TestGateway) {
    gateway.at_noon().ingest(&[message("u", HOUR, "<b>Crème</b> & cream")]).await;
    let item = &search(gateway, "creme", "").await["items"][0];
    assert_eq!(item["highlight"], "&lt;b&gt;<mark>Crème</mark>&lt;/b&gt; &amp; cream");
    assert_eq!(item["content"], "<b>Crème</b> & cream");
    let expected = json!({
        "userId": "u", "username": "u's name", "channelId": "c", "channel": "#c",
        "messageId": format!("m-u-{HOUR}"), "createdAt": ago(HOUR),
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&item[name], value);
    }
}

async fn hits_are_filtered(gateway: &TestGateway) {
    let mut elsewhere = message("u", 1, "word elsewhere");
    elsewhere["guildId"] = json!("h");
    let mut channel = message("u", 2, "word in d");
    channel["channelId"] = json!("d");
    let events =
        [elsewhere, channel, message("u", 3, "word of u"), message("v", HOUR, "word of v")];
    gateway.at_noon().ingest(&events).await;
    let found = async |more: &str| each(&search(gateway, "word", more).await["items"], "content");
    assert_eq!(found("").await, ["word in d", "word of u", "word of v"]);
    assert_eq!(found("&user_id=v").await, ["word of v"]);
    assert_eq!(found("&channel_id=d&user_id=u").await, ["word in d"]);
    assert_eq!(found(&format!("&since={}", ago(3))).await, ["word in d", "word of u"]);
    assert_eq!(found(&format!("&until={}", ago(3))).await, ["word of v"]);
}

async fn the_newest_ten_thousand_hits_are_ranked(gateway: &TestGateway) {
    // The older ones would be the best.
    let best = |n: i64| message("u", HOUR + n * SECOND, "word word word");
    let mut events: Vec<Value> = (0..9_998).map(|n| message("u", n, "one word")).collect();
    events.extend([message("v", 20 * SECOND, "word word"), typing("u", 0, "c")]);
    gateway.at_noon().ingest(&events).await;
    gateway.ingest(&[best(1)]).await;
    let page = search(gateway, "word", "&limit=2").await;
    let expected = ["word word word", "word word"];
    assert_eq!(
        (each(&page["items"], "content"), &page["more_hits"]),
        (expected.map(Value::from).to_vec(), &json!(false))
    );
    gateway.ingest(&[message("v", 30 * SECOND, "a word more")]).await;
    let page = search(gateway, "word", "&limit=2").await;
    assert_eq!(each(&page["items"], "content"), ["word word", "one word"]);
    assert_eq!(page["more_hits"], true);
}
