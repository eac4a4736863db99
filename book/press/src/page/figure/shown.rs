//! The machines that a figure shows.

use crate::book::Book;
use crate::ids::group_of;
use crate::machine::Machine;
use crate::model::Figure;

/// Returns the machines that a figure shows.
pub(super) fn machines<'a>(figure: &Figure, book: &'a Book) -> Vec<&'a Machine> {
    let all = book.machines.iter().chain([&book.here]);
    all.filter(|machine| knows(machine, &figure.group)).collect()
}

/// Returns `true` if `machine` measured anything of a group, or has a reason why it cannot.
pub(super) fn knows(machine: &Machine, group: &str) -> bool {
    let cannot = |id: &String| group_of(id) == group;
    !machine.group(group).is_empty()
        || machine.recording(group).is_some_and(|r| r.not_possible.keys().any(cannot))
}
