//! Fairness between tenants, wherever they share what there is only so much of: whoever waits gets
//! a turn after one of each other tenant that waits, however many one of them has waiting.
//!
//! [`Places`] are held for a time, such as connections; a [`Queue`] holds what is worked off one
//! after the other. Within a tenant, who came first is first.

mod places;
mod queue;

pub use places::{Asked, Full, Place, Places, Share, Waiter};
pub use queue::Queue;
