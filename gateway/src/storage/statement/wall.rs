//! What a rendered text may touch, written down while it is rendered: the second wall, which
//! stands in the database, lets it through to that and to nothing else.

/// The tables that a text names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wall {
    /// Tables that it may read.
    pub reads: Vec<String>,
    /// The table that it may change.
    pub writes: Option<String>,
}

impl Wall {
    pub(super) fn read(&mut self, table: &str) {
        if !self.reads(table) {
            self.reads.push(table.to_owned());
        }
    }

    pub(super) fn write(&mut self, table: &str) {
        self.read(table);
        self.writes = Some(table.to_owned());
    }

    /// Whether it may read a table.
    #[must_use]
    pub fn reads(&self, table: &str) -> bool {
        self.reads.iter().any(|known| known == table)
    }

    /// Whether it may change a table.
    #[must_use]
    pub fn writes(&self, table: &str) -> bool {
        self.writes.as_deref() == Some(table)
    }

    /// Whether FTS5 may read this table while it serves the text: one that it keeps for itself,
    /// of an index of the same plugin.
    #[must_use]
    pub fn reads_of_words(&self, table: &str) -> bool {
        let of_plugin = self.reads.first().and_then(|table| plugin(table));
        let index = SHADOWS.iter().find_map(|shadow| table.strip_suffix(shadow));
        // The names of plugin, collection and index; a collection's table has two of them.
        let is_index = |name: &str| name.matches("__").count() > 1 || name.contains("___");
        index.is_some_and(is_index) && of_plugin.is_some_and(|plugin| table.starts_with(&plugin))
    }

    /// Whether FTS5 may write this table, as triggers make it do.
    #[must_use]
    pub fn writes_of_words(&self, table: &str) -> bool {
        self.writes.is_some() && self.reads_of_words(table)
    }

    /// Whether a trigger of this name may run: those of the gateway bear the name of the plugin
    /// that the changed table belongs to.
    #[must_use]
    pub fn triggers(&self, name: &str) -> bool {
        let of_plugin = self.writes.as_deref().and_then(plugin);
        of_plugin.is_some_and(|plugin| name.starts_with(&plugin))
    }
}

/// The ends of the names of the tables that FTS5 keeps for an index without contents.
const SHADOWS: [&str; 4] = ["_config", "_data", "_docsize", "_idx"];

/// The beginning that the names of a plugin's tables have in common. Names that are too long lose
/// their end; this much of the beginning always stays.
fn plugin(table: &str) -> Option<String> {
    let end = table.find("__").unwrap_or(table.len()).min(40);
    table.get(..end).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tables_of_fts5_are_those_of_words() {
        let mut wall = Wall::default();
        assert!(!wall.reads_of_words("p__own__words_data"));
        wall.read("p__own");
        for table in ["p__own__words_data", "p__other__words_idx", "p__long___0123_docsize"] {
            assert!(wall.reads_of_words(table) && !wall.writes_of_words(table), "{table}");
        }
        for table in ["p__own_data", "q__own__words_data", "p__own__words", "loggia_data"] {
            assert!(!wall.reads_of_words(table), "{table}");
        }
        wall.write("p__own");
        assert!(wall.writes_of_words("p__own__words_data") && !wall.writes_of_words("p__own_data"));
    }
}
