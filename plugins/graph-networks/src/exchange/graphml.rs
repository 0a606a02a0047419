//! `GraphML`, written and read.

use std::collections::HashMap;
use std::fmt::Write as _;

use loggia_plugin_sdk::Problem;
use loggia_plugin_sdk::storage::Error;
use roxmltree::{Document, Node};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::fault::corrupt;
use crate::view::{GroupView, read as read_json};

/// The keys of our own data, by what they stand at.
const KEYS: [(&str, &str); 4] =
    [("network", "graph"), ("groups", "graph"), ("contact", "node"), ("wire", "edge")];

/// The group of nodes that another tool has written.
const GROUP: &str = "graph";

/// The ends of a wire.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ends {
    from_id: String,
    to_id: String,
    r#type: String,
}

/// A network as `GraphML`.
pub(super) fn write(own: &str, groups: &[GroupView<'_>]) -> Result<String, Error> {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                   <graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n"
        .to_owned();
    for (name, of) in KEYS {
        let _ = writeln!(
            xml,
            "<key id=\"{name}\" for=\"{of}\" attr.name=\"{name}\" attr.type=\"string\"/>"
        );
    }
    xml += "<graph edgedefault=\"directed\">\n";
    data(&mut xml, "network", own);
    let texts: Vec<&str> = groups.iter().map(|group| group.own).collect();
    data(&mut xml, "groups", &format!("[{}]", texts.join(",")));
    let mut nodes = HashMap::new();
    for contact in groups.iter().flat_map(|group| &group.contacts) {
        let number = nodes.len();
        nodes.insert(contact.id.as_str(), number);
        let _ = writeln!(xml, "<node id=\"n{number}\">");
        data(&mut xml, "contact", &contact.json);
        xml += "</node>\n";
    }
    for (number, wire) in groups.iter().flat_map(|group| &group.wires).enumerate() {
        let ends: Ends = read_json(wire)?;
        let node = |id: &str| nodes.get(id).ok_or_else(|| corrupt(&"a wire has no end"));
        let (from, to) = (node(&ends.from_id)?, node(&ends.to_id)?);
        let directed = ends.r#type == "directed";
        let _ = writeln!(
            xml,
            "<edge id=\"e{number}\" source=\"n{from}\" target=\"n{to}\" directed=\"{directed}\">"
        );
        data(&mut xml, "wire", wire);
        xml += "</edge>\n";
    }
    xml += "</graph>\n</graphml>\n";
    Ok(xml)
}

/// JSON holds no control characters; of what else XML cannot hold there are two code points.
fn data(xml: &mut String, key: &str, json: &str) {
    let json = json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff");
    let json = json.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(xml, "<data key=\"{key}\">{json}</data>");
}

/// The JSON of the network that `GraphML` holds.
pub(super) fn read(xml: &str) -> Result<String, Problem> {
    let document = Document::parse(xml).map_err(|fault| invalid(&fault.to_string()))?;
    let named = |node: &Node<'_, '_>, name: &str| node.tag_name().name() == name;
    let root = document.root_element();
    let graph = root.children().find(|node| named(node, "graph"));
    let graph = graph.filter(|_| named(&root, "graphml"));
    let graph = graph.ok_or_else(|| invalid("there is no graph in it"))?;
    let names: HashMap<&str, &str> = root
        .children()
        .filter(|node| named(node, "key"))
        .filter_map(|key| Some((key.attribute("id")?, key.attribute("attr.name")?)))
        .collect();
    let mut read = Read { names, ..Read::default() };
    read.graph(graph)?;
    for node in graph.descendants().filter(|node| named(node, "node")) {
        read.node(node)?;
    }
    let directed = graph.attribute("edgedefault") == Some("directed");
    for edge in graph.descendants().filter(|node| named(node, "edge")) {
        read.edge(edge, directed)?;
    }
    Ok(read.network())
}

fn invalid(why: &str) -> Problem {
    Problem::new(422, "invalid-graphml", format!("the file is no GraphML that can be read: {why}"))
}

/// What was read so far.
#[derive(Default)]
struct Read<'x> {
    /// What data is called, by its key.
    names: HashMap<&'x str, &'x str>,
    network: Map<String, Value>,
    /// The own fields of groups.
    groups: Vec<Value>,
    /// Contacts and wires by group.
    contacts: HashMap<String, Vec<Value>>,
    wires: HashMap<String, Vec<Value>>,
    /// The ids of contacts by those of nodes.
    nodes: HashMap<&'x str, String>,
}

impl<'x> Read<'x> {
    fn graph(&mut self, graph: Node<'x, 'x>) -> Result<(), Problem> {
        for (name, text) in self.data(graph) {
            match name {
                "network" => self.network = parse(text)?,
                "groups" => self.groups = parse(text)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn node(&mut self, node: Node<'x, 'x>) -> Result<(), Problem> {
        let id = node.attribute("id").ok_or_else(|| invalid("a node has no id"))?;
        let contact = self.part(node, "contact", || json!({"id": id}))?;
        let own = contact["id"].as_str().ok_or_else(|| invalid("a contact has no id"))?;
        self.nodes.insert(id, own.to_owned());
        self.contacts.entry(self.group_of(&contact)).or_default().push(contact);
        Ok(())
    }

    fn edge(&mut self, edge: Node<'x, 'x>, directed: bool) -> Result<(), Problem> {
        let end = |name| {
            let id = edge.attribute(name).and_then(|node| self.nodes.get(node));
            id.ok_or_else(|| invalid("an edge leads to a node that is not there"))
        };
        let (from, to) = (end("source")?, end("target")?);
        let is_directed = edge.attribute("directed").map_or(directed, |text| text == "true");
        let wire_type = if is_directed { "directed" } else { "bidirectional" };
        let number = self.wires.values().map(Vec::len).sum::<usize>();
        let id = edge.attribute("id").map_or_else(|| format!("e{number}"), str::to_owned);
        let made = || json!({"id": id, "fromId": from, "toId": to, "type": wire_type});
        let wire = self.part(edge, "wire", made)?;
        self.wires.entry(self.group_of(&wire)).or_default().push(wire);
        Ok(())
    }

    /// Our own data; without it what it would be, with other data as attributes.
    fn part(
        &self,
        node: Node<'x, 'x>,
        name: &str,
        made: impl Fn() -> Value,
    ) -> Result<Value, Problem> {
        let data = self.data(node);
        if let Some((_, text)) = data.iter().find(|(known, _)| *known == name) {
            return parse(text);
        }
        let mut part = made();
        if !data.is_empty() {
            let pairs = data.iter().map(|(name, text)| ((*name).to_owned(), Value::from(*text)));
            part["attributes"] = pairs.collect::<Map<_, _>>().into();
        }
        Ok(part)
    }

    fn data(&self, node: Node<'x, 'x>) -> Vec<(&'x str, &'x str)> {
        let data = node.children().filter(|child| child.tag_name().name() == "data");
        data.filter_map(|data| {
            let key = data.attribute("key")?;
            let name = self.names.get(key).copied().unwrap_or(key);
            Some((name, data.text().unwrap_or_default()))
        })
        .collect()
    }

    fn group_of(&self, part: &Value) -> String {
        part["groupId"].as_str().unwrap_or(GROUP).to_owned()
    }

    fn network(mut self) -> String {
        let mut known: Vec<String> =
            self.groups.iter().filter_map(|own| Some(own["id"].as_str()?.to_owned())).collect();
        let mut others: Vec<&String> = self
            .contacts
            .keys()
            .chain(self.wires.keys())
            .filter(|id| !known.contains(id))
            .collect();
        others.sort_unstable();
        others.dedup();
        self.groups.extend(others.iter().map(|id| json!({"id": id})));
        known.extend(others.into_iter().cloned().collect::<Vec<_>>());
        let groups = self.groups.into_iter().zip(known).map(|(own, id)| {
            let contacts = self.contacts.remove(&id).unwrap_or_default();
            let wires = self.wires.remove(&id).unwrap_or_default();
            json!({"group": own, "contacts": contacts, "wires": wires})
        });
        self.network.insert("groups".to_owned(), groups.collect());
        Value::Object(self.network).to_string()
    }
}

fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, Problem> {
    serde_json::from_str(text).map_err(|fault| invalid(&format!("its JSON: {fault}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Contact;

    #[test]
    fn what_is_written_is_read_again() {
        let contacts = [
            r#"{"id":"a<&>\u0001\"","groupId":"g","content":"\uffff]]>"}"#,
            r#"{"id":"b","groupId":"g"}"#,
        ];
        let wire =
            r#"{"id":"w","groupId":"g","fromId":"a<&>\u0001\"","toId":"b","type":"directed"}"#;
        let group = GroupView {
            own: r#"{"id":"g","name":"G"}"#,
            contacts: ["a<&>\u{1}\"", "b"]
                .into_iter()
                .zip(contacts)
                .map(|(id, json)| Contact { id: id.to_owned(), json: json.to_owned() })
                .collect(),
            wires: vec![wire],
            subgroups: Vec::new(),
        };
        let xml = write(r#"{"id":"n","x":1}"#, &[group]).unwrap();
        let network: Value = serde_json::from_str(&read(&xml).unwrap()).unwrap();
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let expected = json!({"id": "n", "x": 1, "groups": [{
            "group": {"id": "g", "name": "G"},
            "contacts": [value(contacts[0]), value(contacts[1])],
            "wires": [value(wire)],
        }]});
        assert_eq!(network, expected);
    }

    #[test]
    fn graphs_of_other_tools_become_one_group() {
        let xml = r#"<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
            <key id="d0" for="node" attr.name="color" attr.type="string"/>
            <graph id="G" edgedefault="undirected">
              <node id="n0"><data key="d0">green</data></node><node id="n1"/>
              <edge source="n0" target="n1"/><edge id="x" directed="true" source="n1" target="n0"/>
            </graph></graphml>"#;
        let network: Value = serde_json::from_str(&read(xml).unwrap()).unwrap();
        let expected = json!({"groups": [{
            "group": {"id": "graph"},
            "contacts": [{"id": "n0", "attributes": {"color": "green"}}, {"id": "n1"}],
            "wires": [
                {"id": "e0", "fromId": "n0", "toId": "n1", "type": "bidirectional"},
                {"id": "x", "fromId": "n1", "toId": "n0", "type": "directed"},
            ],
        }]});
        assert_eq!(network, expected);
    }

    #[test]
    fn what_is_no_graph_is_refused() {
        for xml in [
            "",
            "{}",
            "<graphml/>",
            "<svg><graph/></svg>",
            "<graphml><graph><node/></graph></graphml>",
            "<graphml><graph><node id='a'/><edge source='a' target='b'/></graph></graphml>",
            "<graphml><graph><node id='a'><data key='contact'>{</data></node></graph></graphml>",
            "<!DOCTYPE x [<!ENTITY a 'b'>]><graphml><graph/></graphml>",
        ] {
            assert_eq!(read(xml).unwrap_err().code, "invalid-graphml", "{xml}");
        }
    }
}
