//! `POST /dispatch`, with payloads as Discord documents them.

use serde_json::{Value, json};

use super::{HOUR, SECOND, ago, each, merge, message, route};
use crate::harness::faults::patient;
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    each_kind_of_dispatch_makes_its_event,
    typing_within_five_seconds_of_anothers_message_is_a_reaction,
    a_reaction_is_to_what_others_have_sent_alone,
    messages_of_the_same_request_are_known,
    bots_are_left_out,
    roles_are_compared_with_those_known,
    names_are_taken_from_what_is_known,
    authors_of_deleted_messages_are_known,
    the_same_dispatch_twice_is_one_event,
    what_makes_no_event_is_counted,
    a_dispatch_that_cannot_be_read_stops_no_other,
    updates_that_race_lose_no_change with patient,
}

/// Of an account that was made at 2016-04-30T11:18:25.796Z.
const USER: &str = "80351110224678912";
const OTHER: &str = "175928847299117063";
const CHANNEL: &str = "290926798626999250";

fn dispatch(name: &str, sequence: u64, payload: Value) -> Value {
    json!({"op": 0, "t": name, "s": sequence, "d": payload})
}

fn user(id: &str, name: &str) -> Value {
    json!({
        "id": id, "username": name, "discriminator": "0", "global_name": "Nelly",
        "avatar": "8342729096ea3675442027381ff50dfe", "public_flags": 64,
    })
}

fn message_create(id: &str, author: Value, milliseconds: i64) -> Value {
    json!({
        "id": id, "channel_id": CHANNEL, "guild_id": "g", "author": author,
        "member": {"roles": [], "nick": null, "joined_at": "2015-04-26T06:26:56.936000+00:00",
                   "deaf": false, "mute": false, "flags": 0},
        "content": "Supa Hot", "timestamp": ago(milliseconds).replace('Z', "000+00:00"),
        "edited_timestamp": null, "tts": false, "mention_everyone": false, "mentions": [],
        "mention_roles": [], "attachments": [], "embeds": [], "pinned": false, "type": 0,
    })
}

fn typing_start(id: &str, name: &str, milliseconds: i64) -> Value {
    let time: jiff::Timestamp = ago(milliseconds).parse().unwrap();
    json!({
        "channel_id": CHANNEL, "guild_id": "g", "user_id": id, "timestamp": time.as_second(),
        "member": {"user": user(id, name), "roles": ["role"], "nick": null, "flags": 0,
                   "joined_at": "2015-04-26T06:26:56.936000+00:00", "deaf": false, "mute": false},
    })
}

fn presence_update(user: Value, clients: Value) -> Value {
    json!({
        "user": user, "guild_id": "g", "status": "online",
        "activities": [{"name": "Rocket League", "type": 0, "created_at": 1}],
        "client_status": clients,
    })
}

fn member(id: &str, name: &str, roles: &[&str]) -> Value {
    json!({
        "guild_id": "g", "user": user(id, name), "nick": "NOT API SUPPORT", "avatar": null,
        "roles": roles, "joined_at": "2016-05-15T11:18:25.795000+00:00", "deaf": false,
        "mute": false, "flags": 0, "pending": false,
    })
}

/// The answer to dispatches that are taken.
fn taken(ingested: u64, ignored: u64) -> Value {
    json!({"ingested": ingested, "duplicates": 0, "rejected": [], "ignored": ignored})
}

impl TestGateway {
    async fn take(&self, dispatches: Value, ingested: u64, ignored: u64) {
        let answer = self.send_dispatches(&dispatches).await.assert_status(200).json();
        assert_eq!(answer, taken(ingested, ignored), "{dispatches}");
    }
}

/// The events, without their ids, from the oldest to the newest in the order of their types.
async fn made(gateway: &TestGateway) -> Vec<Value> {
    let mut events = gateway.all_events().await;
    for event in &mut events {
        let id = event.as_object_mut().unwrap().remove("id");
        assert!(id.is_some_and(|id| id.is_string()));
    }
    events.sort_by_key(|event| (event["createdAt"].to_string(), event["type"].to_string()));
    events
}

fn event(kind: &str, (id, name): (&str, &str), milliseconds: i64, more: &Value) -> Value {
    let mut event = json!({
        "type": kind, "guildId": "g", "userId": id, "username": name,
        "createdAt": ago(milliseconds),
    });
    merge(&mut event, more);
    event
}

async fn each_kind_of_dispatch_makes_its_event(gateway: &TestGateway) {
    let clients = json!({"desktop": "online", "mobile": "idle", "web": "offline"});
    let dispatches = json!([
        dispatch("GUILD_MEMBER_ADD", 1, member(OTHER, "nelly", &[])),
        dispatch("MESSAGE_CREATE", 2, message_create("m1", user(OTHER, "nelly"), 2 * HOUR)),
        dispatch("TYPING_START", 3, typing_start(USER, "ann", HOUR)),
        dispatch("PRESENCE_UPDATE", 4, presence_update(user(USER, "ann"), clients)),
        dispatch("GUILD_MEMBER_UPDATE", 5, member(OTHER, "nelly", &["b", "a"])),
        dispatch(
            "MESSAGE_DELETE",
            6,
            json!({
                "id": "m1", "channel_id": CHANNEL, "guild_id": "g",
            })
        ),
        dispatch(
            "MESSAGE_DELETE_BULK",
            7,
            json!({
                "ids": ["m2", "m3"], "channel_id": CHANNEL, "guild_id": "g",
            })
        ),
    ]);
    gateway.at_noon().take(dispatches, 8, 0).await;
    let channel = json!({"channelId": CHANNEL, "channel": "unknown"});
    let (nelly, ann, unknown) = ((OTHER, "nelly"), (USER, "ann"), ("unknown", "unknown"));
    let with = |more: Value| {
        let mut all = channel.clone();
        merge(&mut all, &more);
        all
    };
    // The account was 14 days and 23:59:59.999 old.
    let mut joined = event("join", nelly, 0, &json!({"accountAgeDays": 14}));
    joined["createdAt"] = json!("2016-05-15T11:18:25.795Z");
    let expected = [
        joined,
        event("message", nelly, 2 * HOUR, &with(json!({"messageId": "m1", "content": "Supa Hot"}))),
        event("typing", ann, HOUR, &channel),
        event("deleted_message", nelly, 0, &with(json!({"messageId": "m1"}))),
        event("deleted_message", unknown, 0, &with(json!({"messageId": "m2"}))),
        event("deleted_message", unknown, 0, &with(json!({"messageId": "m3"}))),
        event("presence", ann, 0, &json!({"clients": ["desktop", "mobile"]})),
        event("role_change", nelly, 0, &json!({"addedRoles": ["a", "b"], "removedRoles": []})),
    ];
    let mut came = made(gateway).await;
    came.sort_by_key(|event| {
        ["createdAt", "type", "messageId"].map(|name| event[name].to_string())
    });
    assert_eq!(came, expected);
}

/// The reaction times, from the oldest to the newest.
async fn reactions(gateway: &TestGateway) -> Vec<Value> {
    let page = gateway.seen("guilds/g/events?type=reaction_time&order=createdAt").await;
    each(&page["items"], "deltaMs")
}

async fn typing_within_five_seconds_of_anothers_message_is_a_reaction(gateway: &TestGateway) {
    // Discord tells seconds of typing, and milliseconds of messages.
    for (hours, before_typing, expected) in
        [(1, 5_001, None), (2, 5_000, Some(5_000)), (3, 1, Some(1)), (4, 0, Some(0)), (5, -1, None)]
    {
        let at = 100 * HOUR - hours * HOUR;
        let id = format!("m{hours}");
        let sent = message_create(&id, user(OTHER, "nelly"), at + before_typing);
        gateway.at_noon().take(dispatch("MESSAGE_CREATE", hours as u64, sent), 1, 0).await;
        let typing = dispatch("TYPING_START", hours as u64, typing_start(USER, "ann", at));
        let before = reactions(gateway).await.len();
        gateway.take(typing, 1 + u64::from(expected.is_some()), 0).await;
        let after = reactions(gateway).await;
        assert_eq!(after.get(before), expected.map(|delta: i64| json!(delta)).as_ref());
    }
    let page = gateway.seen("guilds/g/events?type=reaction_time&order=createdAt&limit=1").await;
    let mut first = page["items"][0].clone();
    first.as_object_mut().unwrap().remove("id");
    let more = json!({
        "observerId": USER, "observerName": "ann", "actorId": OTHER, "actorName": "nelly",
        "channelId": CHANNEL, "deltaMs": 5_000,
    });
    assert_eq!(first, event("reaction_time", (USER, "ann"), 98 * HOUR, &more));
}

async fn a_reaction_is_to_what_others_have_sent_alone(gateway: &TestGateway) {
    let at_second = |seconds: i64| HOUR - seconds * SECOND;
    let send = |number: u64, id: &str, seconds: i64| {
        let id_of_message = format!("m{number}");
        dispatch(
            "MESSAGE_CREATE",
            number,
            message_create(&id_of_message, user(id, id), at_second(seconds)),
        )
    };
    let mut elsewhere = send(9, OTHER, 4);
    elsewhere["d"]["channel_id"] = json!("another");
    let mut in_another_guild = send(8, OTHER, 4);
    in_another_guild["d"]["guild_id"] = json!("h");
    gateway.at_noon().take(json!([send(1, USER, 4), elsewhere, in_another_guild]), 3, 0).await;
    let typing =
        |number: u64| dispatch("TYPING_START", number, typing_start(USER, "ann", at_second(5)));
    gateway.take(typing(1), 1, 0).await;
    assert_eq!(reactions(gateway).await, [0; 0]);
    // The latest of the others counts, though the user has sent one since.
    gateway.take(json!([send(2, OTHER, 1), send(3, "third", 2)]), 2, 0).await;
    gateway.take(typing(2), 2, 0).await;
    let page = gateway.seen("guilds/g/events?type=reaction_time").await;
    assert_eq!(each(&page["items"], "actorId"), ["third"]);
    assert_eq!(each(&page["items"], "deltaMs"), [3_000]);
}

async fn messages_of_the_same_request_are_known(gateway: &TestGateway) {
    let dispatches = json!([
        dispatch("MESSAGE_CREATE", 1, message_create("m1", user(OTHER, "nelly"), 3 * SECOND)),
        dispatch("TYPING_START", 2, typing_start(USER, "ann", SECOND)),
        dispatch("PRESENCE_UPDATE", 3, presence_update(json!({"id": USER}), json!({}))),
        dispatch(
            "MESSAGE_DELETE",
            4,
            json!({
                "id": "m1", "channel_id": CHANNEL, "guild_id": "g",
            })
        ),
    ]);
    gateway.at_noon().take(dispatches, 5, 0).await;
    assert_eq!(reactions(gateway).await, [2_000]);
    let page = gateway.seen("guilds/g/events?type=presence&type=deleted_message").await;
    let mut names = each(&page["items"], "username");
    names.sort_by_key(Value::to_string);
    assert_eq!(names, ["ann", "nelly"]);
}

async fn bots_are_left_out(gateway: &TestGateway) {
    let mut bot = user("b", "robot");
    bot["bot"] = json!(true);
    let mut typing = typing_start("b", "robot", 0);
    typing["member"]["user"] = bot.clone();
    let mut joins = member("b", "robot", &[]);
    joins["user"] = bot.clone();
    let mut hook = message_create("m2", user("hook", "a hook"), 0);
    hook["webhook_id"] = json!("hook");
    let dispatches = json!([
        dispatch("MESSAGE_CREATE", 1, message_create("m1", bot, SECOND)),
        dispatch("MESSAGE_CREATE", 2, hook),
        dispatch("TYPING_START", 3, typing),
        dispatch("GUILD_MEMBER_ADD", 4, joins.clone()),
        dispatch("GUILD_MEMBER_UPDATE", 5, joins),
    ]);
    gateway.at_noon().take(dispatches, 0, 5).await;
    // Of a presence the id alone is told, and it is known whose it is.
    let presence = presence_update(json!({"id": "b"}), json!({"web": "online"}));
    gateway.take(dispatch("PRESENCE_UPDATE", 6, presence), 0, 1).await;
    // Typing is no reaction to a bot.
    gateway.take(dispatch("TYPING_START", 7, typing_start(USER, "ann", 0)), 1, 0).await;
    assert_eq!(reactions(gateway).await, [0; 0]);
}

async fn roles_are_compared_with_those_known(gateway: &TestGateway) {
    let update = |number: u64, roles: &[&str]| {
        dispatch("GUILD_MEMBER_UPDATE", number, member(USER, "ann", roles))
    };
    gateway.at_noon().take(update(1, &["a", "b"]), 0, 1).await;
    gateway.take(update(2, &["b", "a"]), 0, 1).await;
    gateway.take(update(3, &["c", "a"]), 1, 0).await;
    // Two of one request are compared with each other.
    gateway.take(json!([update(4, &[]), update(5, &["z", "y"])]), 2, 0).await;
    let page = gateway.seen("guilds/g/events").await;
    let changes = page["items"].as_array().unwrap().iter();
    let mut changes: Vec<Value> =
        changes.map(|event| json!([event["addedRoles"], event["removedRoles"]])).collect();
    changes.sort_by_key(Value::to_string);
    let expected = [json!([["c"], ["b"]]), json!([["y", "z"], []]), json!([[], ["a", "c"]])];
    assert_eq!(changes, expected);
    // What comes once more, and late, changes nothing.
    let answer = gateway.send_dispatches(&update(3, &["c", "a"])).await.assert_status(200).json();
    assert_eq!((&answer["ingested"], &answer["duplicates"]), (&json!(0), &json!(1)));
    gateway.take(update(6, &["y", "z"]), 0, 1).await;
    // A member that joins has been seen.
    gateway.take(dispatch("GUILD_MEMBER_ADD", 7, member(OTHER, "nelly", &[])), 1, 0).await;
    let update = dispatch("GUILD_MEMBER_UPDATE", 8, member(OTHER, "nelly", &["a"]));
    gateway.take(update, 1, 0).await;
}

async fn names_are_taken_from_what_is_known(gateway: &TestGateway) {
    let presence = |number: u64, clients: Value| {
        dispatch("PRESENCE_UPDATE", number, presence_update(json!({"id": USER}), clients))
    };
    let newest = async || gateway.all_events().await[0]["username"].clone();
    gateway.at_noon().take(presence(1, json!({"web": "online"})), 1, 0).await;
    assert_eq!(newest().await, "unknown");
    // By an event that came otherwise, which knows the channel as well.
    let mut known = message(USER, -HOUR, "x");
    merge(&mut known, &json!({"username": "ann", "channelId": CHANNEL, "channel": "general"}));
    gateway.ingest(&[known]).await;
    gateway.take(presence(2, json!({"web": "idle"})), 1, 0).await;
    let page = gateway.seen("guilds/g/events?type=presence").await;
    assert!(each(&page["items"], "username").contains(&json!("ann")));
    gateway.take(dispatch("TYPING_START", 3, typing_start(OTHER, "nelly", 0)), 1, 0).await;
    let page = gateway.seen("guilds/g/events?type=typing").await;
    assert_eq!(each(&page["items"], "channel"), ["general"]);
    // Typing that does not tell the member.
    let mut typing = typing_start(OTHER, "nelly", SECOND);
    typing.as_object_mut().unwrap().remove("member");
    gateway.take(dispatch("TYPING_START", 4, typing), 1, 0).await;
    let page = gateway.seen("guilds/g/events?type=typing").await;
    assert_eq!(each(&page["items"], "username"), ["nelly", "nelly"]);
}

async fn authors_of_deleted_messages_are_known(gateway: &TestGateway) {
    let mut elsewhere = message(USER, 3, "x");
    elsewhere["guildId"] = json!("h");
    gateway.at_noon().ingest(&[message("u", 1, "x"), message("v", 2, "y"), elsewhere]).await;
    let ids = ["m-u-1".to_owned(), "m-v-2".to_owned(), format!("m-{USER}-3")];
    let delete = json!({"ids": ids, "channel_id": "c", "guild_id": "g"});
    gateway.take(dispatch("MESSAGE_DELETE_BULK", 1, delete), 3, 0).await;
    let page = gateway.seen("guilds/g/events?type=deleted_message").await;
    let items = page["items"].as_array().unwrap().iter();
    let mut came: Vec<Value> = items
        .map(|event| {
            json!([event["messageId"], event["userId"], event["username"], event["channel"]])
        })
        .collect();
    came.sort_by_key(Value::to_string);
    let mut expected = [
        json!(["m-u-1", "u", "u's name", "#c"]),
        json!(["m-v-2", "v", "v's name", "#c"]),
        json!([ids[2], "unknown", "unknown", "#c"]),
    ];
    expected.sort_by_key(Value::to_string);
    assert_eq!(came, expected);
}

async fn the_same_dispatch_twice_is_one_event(gateway: &TestGateway) {
    let sent = dispatch("MESSAGE_CREATE", 1, message_create("m1", user(OTHER, "nelly"), SECOND));
    let typing = dispatch("TYPING_START", 2, typing_start(USER, "ann", 0));
    let bulk = dispatch(
        "MESSAGE_DELETE_BULK",
        3,
        json!({
            "ids": ["a", "b"], "channel_id": CHANNEL, "guild_id": "g",
        }),
    );
    let all = json!([sent, typing, bulk]);
    gateway.at_noon().take(all.clone(), 5, 0).await;
    let again = gateway.send_dispatches(&all).await.assert_status(200).json();
    let expected = json!({"ingested": 0, "duplicates": 5, "rejected": [], "ignored": 0});
    assert_eq!(again, expected);
    // Another number is another event, and so is another client's id.
    let mut other = sent.clone();
    other["s"] = json!(7);
    let mut named = sent.clone();
    named["id"] = json!("mine");
    gateway.take(json!([other, named]), 2, 0).await;
    named["s"] = json!(8);
    let answer = gateway.send_dispatches(&named).await.assert_status(200).json();
    assert_eq!(answer["duplicates"], 1);
    let twice = gateway.send_dispatches(&json!([sent, sent])).await.assert_status(200).json();
    assert_eq!(twice["duplicates"], 2);
}

async fn what_makes_no_event_is_counted(gateway: &TestGateway) {
    let mut direct = message_create("m1", user(USER, "ann"), 0);
    direct.as_object_mut().unwrap().remove("guild_id");
    let dispatches = json!([
        dispatch("READY", 1, json!({"v": 10})),
        {"op": 11},
        {"op": 1, "t": null, "s": null, "d": 251},
        dispatch("MESSAGE_CREATE", 2, direct),
        dispatch("GUILD_MEMBER_UPDATE", 3, member(USER, "ann", &[])),
    ]);
    gateway.at_noon().take(dispatches, 0, 5).await;
    gateway.take(json!([]), 0, 0).await;
    assert!(gateway.all_events().await.is_empty());
}

async fn a_dispatch_that_cannot_be_read_stops_no_other(gateway: &TestGateway) {
    let good = dispatch("TYPING_START", 1, typing_start(USER, "ann", 0));
    let dispatches = json!([
        7,
        dispatch("TYPING_START", 2, json!({"user_id": USER})),
        good,
        dispatch("GUILD_MEMBER_ADD", 3, member("no snowflake", "ann", &[])),
        dispatch("MESSAGE_CREATE", 4, json!(null)),
    ]);
    let answer = gateway.at_noon().send_dispatches(&dispatches).await.assert_status(200).json();
    assert_eq!(answer["ingested"], 1);
    let rejected = &answer["rejected"];
    assert_eq!(each(rejected, "index"), [0, 1, 3, 4]);
    let codes = ["invalid-dispatch", "invalid-payload", "invalid-payload", "invalid-payload"];
    assert_eq!(each(rejected, "code"), codes);
    let many = vec![json!({"op": 11}); 201];
    let problem = gateway.send_dispatches(&json!(many)).await;
    assert_eq!(problem.assert_problem(422, "too-many-dispatches")["limit"], 200);
    let answer = gateway.send("POST", &route("dispatch"), &[super::JSON], "7").await;
    answer.assert_problem(400, "invalid-json");
}

async fn updates_that_race_lose_no_change(gateway: &TestGateway) {
    let update = |number: u64, roles: &[&str]| {
        dispatch("GUILD_MEMBER_UPDATE", number, member(USER, "ann", roles))
    };
    gateway.at_noon().take(update(1, &[]), 0, 1).await;
    let (two, three) = (update(2, &["a"]), update(3, &["b"]));
    let (one, other) = tokio::join!(gateway.send_dispatches(&two), gateway.send_dispatches(&three));
    assert_eq!(one.assert_status(200).json(), taken(1, 0));
    assert_eq!(other.assert_status(200).json(), taken(1, 0));
    // One saw what the other had left.
    let page = gateway.seen("guilds/g/events?type=role_change").await;
    let items = page["items"].as_array().unwrap().iter();
    let mut changes: Vec<Value> =
        items.map(|event| json!([event["addedRoles"], event["removedRoles"]])).collect();
    changes.sort_by_key(Value::to_string);
    let a_first = [json!([["a"], []]), json!([["b"], ["a"]])];
    let b_first = [json!([["a"], ["b"]]), json!([["b"], []])];
    assert!(changes == a_first || changes == b_first, "{changes:?}");
}
