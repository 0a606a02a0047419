//! A walk through all runs of a test that differ in what was chosen: whose turn it is in an
//! interleaving, or which storage call fails.
//!
//! A run asks [`Choices::take`] wherever it could go on in several ways. [`Choices::next`] makes
//! the next run differ: depth first, the last choice first.

/// What the run under way has chosen, and what is left.
#[derive(Debug, Default)]
pub(super) struct Choices {
    path: Vec<Choice>,
    /// How many of the path this run has asked for.
    asked: usize,
}

#[derive(Debug)]
struct Choice {
    taken: usize,
    of: usize,
}

impl Choices {
    /// One of so many ways, counted from 0.
    pub(super) fn take(&mut self, of: usize) -> usize {
        if self.asked == self.path.len() {
            self.path.push(Choice { taken: 0, of });
        }
        let choice = &mut self.path[self.asked];
        self.asked += 1;
        choice.of = of;
        // Where another run had more ways, the database has answered in another order.
        choice.taken.min(of - 1)
    }

    /// Which of a number of ways that is found out by going them, counted from 0.
    pub(super) fn take_open(&mut self) -> usize {
        self.take(usize::MAX)
    }

    /// The open choice that was taken last has led nowhere: there are no more of its ways.
    pub(super) fn close(&mut self) {
        if let Some(choice) = self.path[..self.asked].last_mut() {
            choice.of = 0;
        }
    }

    /// Whether there is another run.
    pub(super) fn next(&mut self) -> bool {
        self.path.truncate(self.asked);
        self.asked = 0;
        while let Some(last) = self.path.last_mut() {
            last.taken += 1;
            if last.taken < last.of {
                return true;
            }
            self.path.pop();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::Choices;

    #[test]
    fn all_ways_are_gone_once() {
        let mut choices = Choices::default();
        let mut runs = Vec::new();
        loop {
            let first = choices.take(2);
            // What can be chosen depends on what was.
            let second = if first == 0 { choices.take(3) } else { 9 };
            runs.push((first, second));
            if !choices.next() {
                break;
            }
        }
        assert_eq!(runs, [(0, 0), (0, 1), (0, 2), (1, 9)]);
    }

    #[test]
    fn an_open_choice_ends_where_it_leads_nowhere() {
        let mut choices = Choices::default();
        let mut runs = Vec::new();
        loop {
            let place = choices.take_open();
            match place {
                0..3 => runs.push((place, choices.take(2))),
                _ => choices.close(),
            }
            if !choices.next() {
                break;
            }
        }
        assert_eq!(runs, [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]);
    }
}
