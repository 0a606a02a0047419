//! Bringing the SELECTs of a query to one form: types, names, DISTINCT.

use sqlparser::tokenizer::Location;

use super::check::{Checked, Checker, all};
use super::query::Names;
use super::tree::{Body, Grouped, Grouping, Item, Select};
use super::types::Typed;
use crate::manifest::FieldType;

/// A SELECT whose items are not yet brought to the types of those beside it in a UNION.
#[derive(Debug)]
pub(super) struct Draft {
    /// Without items.
    pub(super) select: Select,
    pub(super) items: Vec<DraftItem>,
    pub(super) distinct: bool,
}

#[derive(Debug)]
pub(super) struct DraftItem {
    /// `None` for an expression without a name.
    pub(super) name: Option<String>,
    pub(super) typed: Typed,
    pub(super) at: Location,
}

impl Checker<'_> {
    /// The SELECTs of a query, and of each whether it keeps duplicates, with one type for each
    /// column.
    pub(super) fn settle(&mut self, drafts: Vec<(bool, Draft)>, names: Names) -> Checked<Body> {
        let mut drafts = drafts;
        let (_, first) = drafts.first().expect("a query has a SELECT");
        let width = first.items.len();
        if drafts.iter().any(|(_, draft)| draft.items.len() != width) {
            return self.refuse_here("the SELECTs of a UNION differ in their number of columns");
        }
        let column_names = self.column_names(&first.items, names)?;
        let distinct_union = drafts.iter().skip(1).any(|(keeps, _)| !keeps);
        for (place, name) in column_names.into_iter().enumerate() {
            self.settle_column(&mut drafts, place, &name, distinct_union)?;
        }
        let selects = drafts.into_iter().map(|(keeps, draft)| Ok((keeps, self.finish(draft)?)));
        let mut selects = all(selects.collect())?.into_iter();
        let (_, first) = selects.next().expect("a query has a SELECT");
        Ok(Body { first, rest: selects.collect() })
    }

    fn column_names(&mut self, items: &[DraftItem], names: Names) -> Checked<Vec<String>> {
        let given = items.iter().enumerate().map(|(place, item)| match (&item.name, names) {
            (Some(name), _) => Ok(name.clone()),
            // Not a name that a plugin can write, so it hides none.
            (None, Names::Unused) => Ok(format!("#{place}")),
            (None, Names::Needed) => {
                self.refuse(item.at, "this column needs a name: add AS and one")
            }
        });
        let given = all(given.collect())?;
        let texts: Vec<&str> = given.iter().map(String::as_str).collect();
        match repeated(&texts) {
            Some(twice) if names == Names::Needed => {
                self.refuse_here(format!("two columns are named {twice}"))
            }
            _ => Ok(given),
        }
    }

    /// Bring one column of all SELECTs to one type.
    fn settle_column(
        &mut self,
        drafts: &mut [(bool, Draft)],
        place: usize,
        name: &str,
        distinct: bool,
    ) -> Checked<()> {
        let at = drafts[0].1.items[place].at;
        let values = drafts.iter().map(|(_, draft)| draft.items[place].typed.clone()).collect();
        let (values, item_type) = self.unify(values, at)?;
        if distinct {
            self.comparable(item_type, at)?;
        }
        let nullable = values.iter().any(|value| value.nullable);
        for ((_, draft), Typed { expression, .. }) in drafts.iter_mut().zip(values) {
            let name = name.to_owned();
            draft.select.items.push(Item { name, expression, item_type, nullable });
        }
        Ok(())
    }

    /// DISTINCT becomes GROUP BY all columns: `SQLite` does not look into a DISTINCT sub-select.
    fn finish(&mut self, draft: Draft) -> Checked<Select> {
        let Draft { mut select, items, distinct } = draft;
        if distinct {
            for (item, DraftItem { at, .. }) in select.items.iter().zip(&items) {
                self.comparable(item.item_type, *at)?;
            }
            let items = select.items.iter().filter(|item| !item.expression.is_constant());
            let terms: Vec<Grouped> = items.map(Grouped::from).collect();
            if terms.is_empty() {
                return self.refuse_here("DISTINCT needs a column that is not constant");
            }
            select.grouping = Grouping::By(terms);
        }
        Ok(select)
    }
}

impl From<&Item> for Grouped {
    fn from(item: &Item) -> Self {
        Self { expression: item.expression.clone(), term_type: item.item_type }
    }
}

impl Item {
    /// Whether its values have an order.
    pub(super) fn is_comparable(&self) -> bool {
        !matches!(self.item_type, FieldType::Json | FieldType::Texts | FieldType::Words)
    }
}

/// A name that is there twice. `SQLite` takes names that differ only in case for the same.
pub(super) fn repeated<'n>(names: &[&'n str]) -> Option<&'n str> {
    let is_repeated = |(place, name): &(usize, &&str)| {
        names[..*place].iter().any(|other| other.eq_ignore_ascii_case(name))
    };
    names.iter().enumerate().find(is_repeated).map(|(_, name)| *name)
}
