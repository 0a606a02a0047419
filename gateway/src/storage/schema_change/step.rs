//! A plan as people read it: steps, and why some of them are refused.

use std::fmt::{self, Display, Formatter};

use crate::config::Permission;

/// What installing a manifest changes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The plugin's name.
    pub plugin: String,
    /// In the order in which they are applied, collection by collection.
    pub steps: Vec<Step>,
}

/// One change.
#[derive(Clone, Debug)]
pub struct Step {
    /// What is done.
    pub kind: StepKind,
    /// To which collection, or to which count.
    pub collection: String,
    /// The field or index; empty where it is the whole collection.
    pub name: String,
    /// More about it, such as the types before and after; may be empty.
    pub detail: String,
    /// Why it is not done; `None` where it is.
    pub refusal: Option<Refusal>,
}

/// What a step does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StepKind {
    /// A new table.
    AddCollection,
    /// The table goes, with its documents.
    DropCollection,
    /// A new column.
    AddField,
    /// The column goes; the member stays in the bodies.
    DropField,
    /// The column has another type.
    ChangeType,
    /// The column is filled from another member.
    ChangePath,
    /// All columns are filled from the bodies.
    FillFields,
    /// Bodies go through the plugin's `upgrade`, and columns are filled from what comes back.
    Upgrade,
    /// The plugin is older than its documents.
    Downgrade,
    /// A new index, built while others write.
    AddIndex,
    /// The index goes; it can be built again.
    DropIndex,
    /// A reference holds from now on.
    AddReference,
    /// A reference holds no more.
    DropReference,
    /// A count is made, and counts what is there.
    AddCount,
    /// A count goes; it can be made again.
    DropCount,
    /// Documents may expire from now on.
    StartExpiry,
    /// Documents do not expire any more.
    DropExpiry,
    /// New documents get another time to live.
    ChangeTtl,
}

/// Why a step is not done.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What stands against it, and what to do.
    pub reason: String,
    /// The permission with which it is done all the same, where there is one.
    pub permission: Option<Permission>,
    /// The documents that stand against it.
    pub culprits: Culprits,
}

/// Documents that stand against a step: how many, and the first of them.
#[derive(Clone, Debug, Default)]
pub struct Culprits {
    /// All of them.
    pub count: u64,
    /// At most ten, in the order of tenants and ids.
    pub first: Vec<Culprit>,
}

/// A document that stands against a step.
#[derive(Clone, Debug)]
pub struct Culprit {
    /// The tenant's name.
    pub tenant: String,
    /// The document's id.
    pub id: String,
    /// What is wrong with it; may be empty. Holds no value of the document.
    pub detail: String,
}

/// More documents than this are counted only.
pub(super) const MAX_CULPRITS: usize = 10;

impl Plan {
    pub(super) fn new(plugin: &str) -> Self {
        Self { plugin: plugin.to_owned(), steps: Vec::new() }
    }

    /// Whether one of its steps is not done, and so none.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.steps.iter().any(|step| step.refusal.is_some())
    }

    /// The refused steps, each in a line, with the reasons and the documents below.
    #[must_use]
    pub fn refused(&self) -> String {
        let refused = self.steps.iter().filter(|step| step.refusal.is_some());
        refused.map(Step::to_string).collect::<Vec<_>>().join("\n")
    }
}

/// All steps, each in a line.
impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let steps: Vec<String> = self.steps.iter().map(Step::to_string).collect();
        f.write_str(&steps.join("\n"))
    }
}

impl Step {
    pub(super) fn new(kind: StepKind, collection: &str, name: &str) -> Self {
        Self {
            kind,
            collection: collection.to_owned(),
            name: name.to_owned(),
            detail: String::new(),
            refusal: None,
        }
    }

    pub(super) fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// Refuse it unless the operator has given the permission that it needs.
    pub(super) fn needs(
        self,
        permission: Permission,
        allow: &std::collections::BTreeSet<Permission>,
        reason: &str,
    ) -> Self {
        if allow.contains(&permission) {
            return self;
        }
        let reason = reason.to_owned();
        let culprits = Culprits::default();
        Self { refusal: Some(Refusal { reason, permission: Some(permission), culprits }), ..self }
    }

    /// Refuse it for good.
    pub(super) fn refuse(&mut self, reason: impl Into<String>, culprits: Culprits) {
        self.refusal = Some(Refusal { reason: reason.into(), permission: None, culprits });
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.collection)?;
        if !self.name.is_empty() {
            write!(f, ".{}", self.name)?;
        }
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        match &self.refusal {
            Some(refusal) => write!(f, ": refused: {refusal}"),
            None => Ok(()),
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if let Some(permission) = self.permission {
            write!(f, "; allow = [\"{}\"] permits it", permission.name())?;
        }
        for culprit in &self.culprits.first {
            write!(f, "\n    tenant {:?}, id {:?}", culprit.tenant, culprit.id)?;
            if !culprit.detail.is_empty() {
                write!(f, ": {}", culprit.detail)?;
            }
        }
        match self.culprits.count.saturating_sub(self.culprits.first.len() as u64) {
            0 => Ok(()),
            more => f.write_fmt(format_args!("\n    and {more} more")),
        }
    }
}

impl StepKind {
    /// Its name in kebab case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AddCollection => "add-collection",
            Self::DropCollection => "drop-collection",
            Self::AddField => "add-field",
            Self::DropField => "drop-field",
            Self::ChangeType => "change-type",
            Self::ChangePath => "change-path",
            Self::FillFields => "fill-fields",
            Self::Upgrade => "upgrade",
            Self::Downgrade => "downgrade",
            Self::AddIndex => "add-index",
            Self::DropIndex => "drop-index",
            Self::AddReference => "add-reference",
            Self::DropReference => "drop-reference",
            Self::AddCount => "add-count",
            Self::DropCount => "drop-count",
            Self::StartExpiry => "start-expiry",
            Self::DropExpiry => "drop-expiry",
            Self::ChangeTtl => "change-ttl",
        }
    }
}
