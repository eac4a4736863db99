//! The layouts that the chapter compares, filled with the same events.

use super::packed::Packed;
use super::records::{COrder, Columns, Event};

/// A record, in whichever layout.
trait Record: Copy {
    fn new(event: Event) -> Self;
    fn event(self) -> Event;
}

macro_rules! record {
    ($($type:ident),*) => {$(
        impl Record for $type {
            fn new(Event { kind, at, amount }: Event) -> Self {
                Self { kind, at, amount }
            }

            fn event(self) -> Event {
                let Self { kind, at, amount } = self;
                Event { kind, at, amount }
            }
        }
    )*};
}
record!(COrder, Event);

impl Record for Packed {
    fn new(Event { kind, at, amount }: Event) -> Self {
        Self { kind, at, amount }
    }

    fn event(self) -> Event {
        Self::event(self)
    }
}

/// Events in one of the layouts that the chapter compares.
pub enum Variant {
    /// A vector of [`COrder`].
    COrder(Vec<COrder>),
    /// A vector of [`Event`].
    RustOrder(Vec<Event>),
    /// A vector of [`Packed`].
    Packed(Vec<Packed>),
    /// A vector per field.
    Columns(Columns),
}

impl Variant {
    /// The names of the variants, in the order of the chapter.
    pub const NAMES: [&str; 4] = ["c_order", "rust_order", "packed", "columns"];

    /// Creates `count` events in the layout called `name`, or returns `None` if no layout has that
    /// name. Allocates exactly the bytes that they need.
    pub fn new(name: &str, count: usize) -> Option<Self> {
        let events = (0..count as u64).map(|number| Event {
            kind: number as u8,
            at: number,
            amount: number as u32,
        });
        Some(match name {
            "c_order" => Self::COrder(events.map(Record::new).collect()),
            "rust_order" => Self::RustOrder(events.map(Record::new).collect()),
            "packed" => Self::Packed(events.map(Record::new).collect()),
            "columns" => Self::Columns(Columns {
                kind: events.clone().map(|event| event.kind).collect(),
                at: events.clone().map(|event| event.at).collect(),
                amount: events.map(|event| event.amount).collect(),
            }),
            _ => return None,
        })
    }

    /// Adds up the amounts: one field of each event.
    pub fn amounts(&self) -> u64 {
        match self {
            Self::COrder(records) => amounts(records),
            Self::RustOrder(records) => amounts(records),
            Self::Packed(records) => amounts(records),
            Self::Columns(columns) => columns.amount.iter().map(|&amount| u64::from(amount)).sum(),
        }
    }

    /// Adds up every field of each event.
    pub fn everything(&self) -> u64 {
        match self {
            Self::COrder(records) => everything(records),
            Self::RustOrder(records) => everything(records),
            Self::Packed(records) => everything(records),
            Self::Columns(Columns { kind, at, amount }) => {
                let rows = kind.iter().zip(at).zip(amount);
                add(rows.map(|((&kind, &at), &amount)| Event { kind, at, amount }))
            }
        }
    }

    /// Adds up every field of the events at `indices`, in that order.
    ///
    /// # Panics
    ///
    /// If an index is out of bounds.
    pub fn at(&self, indices: &[u32]) -> u64 {
        match self {
            Self::COrder(records) => at(records, indices),
            Self::RustOrder(records) => at(records, indices),
            Self::Packed(records) => at(records, indices),
            Self::Columns(columns) => {
                add(indices.iter().map(|&index| columns.event(index as usize)))
            }
        }
    }
}

impl Columns {
    fn event(&self, row: usize) -> Event {
        Event { kind: self.kind[row], at: self.at[row], amount: self.amount[row] }
    }
}

// ANCHOR: scan
fn amounts<R: Record>(records: &[R]) -> u64 {
    records.iter().map(|record| u64::from(record.event().amount)).sum()
}

fn everything<R: Record>(records: &[R]) -> u64 {
    add(records.iter().map(|record| record.event()))
}

fn at<R: Record>(records: &[R], indices: &[u32]) -> u64 {
    add(indices.iter().map(|&index| records[index as usize].event()))
}

fn add(events: impl Iterator<Item = Event>) -> u64 {
    events.map(|event| u64::from(event.kind) + event.at + u64::from(event.amount)).sum()
}
// ANCHOR_END: scan
