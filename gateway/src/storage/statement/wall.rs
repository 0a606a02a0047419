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

    /// Whether a trigger of this name may run: those of the gateway bear the name of the plugin
    /// that the changed table belongs to.
    #[must_use]
    pub fn triggers(&self, name: &str) -> bool {
        // Names that are too long lose their end; this much of the beginning always stays.
        let plugin = |table: &str| {
            let end = table.find("__").unwrap_or(table.len()).min(40);
            table.get(..end).map(str::to_owned)
        };
        let of_plugin = self.writes.as_deref().and_then(plugin);
        of_plugin.is_some_and(|plugin| name.starts_with(&plugin))
    }
}
