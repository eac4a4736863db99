//! The same events in four shapes, to be counted and clocked.

use super::packed::Packed;
use super::picture::LINE;
use static_assertions::const_assert_eq;

// ANCHOR: orders
/// An event, and its fields in the order in which one thinks of them. C keeps it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct COrder {
    /// What happened.
    pub kind: u8,
    /// When, in nanoseconds.
    pub at: u64,
    /// How much.
    pub amount: u32,
}

/// The same, ordered by hand: what a `repr(C)` needs.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ByHand {
    /// When, in nanoseconds.
    pub at: u64,
    /// How much.
    pub amount: u32,
    /// What happened.
    pub kind: u8,
}
// ANCHOR_END: orders

/// The same in the first order, which is the compiler's to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: u8,
    /// When, in nanoseconds.
    pub at: u64,
    /// How much.
    pub amount: u32,
}

// ANCHOR: columns
/// Many of them, a vector a field: no field has a neighbor to be aligned for.
#[derive(Default)]
pub struct Columns {
    kind: Vec<u8>,
    at: Vec<u64>,
    amount: Vec<u32>,
}
// ANCHOR_END: columns

// ANCHOR: sizes
#[cfg(target_pointer_width = "64")]
const _: () = {
    const_assert_eq!(size_of::<COrder>(), 24);
    const_assert_eq!(size_of::<ByHand>(), 16);
    const_assert_eq!(size_of::<Event>(), 16);
};
// ANCHOR_END: sizes

/// How many cache lines an array of so many values of `size` bytes covers, from the beginning of a
/// line.
// ANCHOR: lines
pub const fn lines(values: usize, size: usize) -> usize {
    (values * size).div_ceil(LINE)
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    const_assert_eq!(lines(1 << 20, size_of::<COrder>()), 393_216);
    const_assert_eq!(lines(1 << 20, size_of::<Event>()), 262_144);
    const_assert_eq!(lines(1 << 20, size_of::<Packed>()), 212_992);
    const_assert_eq!(lines(1 << 20, size_of::<u32>()), 65_536); // the column of amounts
};
// ANCHOR_END: lines

/// How many of 64 values of `size` bytes, one behind the other from the beginning of a line, lie in
/// more than one line.
// ANCHOR: split
pub const fn split(size: usize) -> usize {
    let (mut value, mut found) = (0, 0);
    while value < 64 {
        let (first, last) = (value * size, (value + 1) * size - 1);
        found += (first / LINE != last / LINE) as usize;
        value += 1;
    }
    found
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    const_assert_eq!(split(size_of::<COrder>()), 16);
    const_assert_eq!(split(size_of::<Event>()), 0);
    const_assert_eq!(split(size_of::<Packed>()), 12);
};
// ANCHOR_END: split

/// What the three kinds of record have in common: where they hold it is their own affair.
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

/// Many events in one of the shapes.
pub enum Records {
    /// As [`COrder`].
    COrder(Vec<COrder>),
    /// As [`Event`].
    RustOrder(Vec<Event>),
    /// As [`Packed`].
    Packed(Vec<Packed>),
    /// As [`Columns`].
    Columns(Columns),
}

impl Records {
    /// Their names, in the order in which the chapter meets them.
    pub const NAMES: [&str; 4] = ["c_order", "rust_order", "packed", "columns"];

    /// So many events in the shape of that name, or `None`. Allocates what they need and no more.
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

    /// The sum of all amounts: one field of each event.
    pub fn amounts(&self) -> u64 {
        match self {
            Self::COrder(records) => amounts(records),
            Self::RustOrder(records) => amounts(records),
            Self::Packed(records) => amounts(records),
            Self::Columns(columns) => columns.amount.iter().map(|&amount| u64::from(amount)).sum(),
        }
    }

    /// The sum of everything: all fields of each event.
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

    /// The sum of everything in the events at these places, in their order.
    ///
    /// # Panics
    ///
    /// If there is no event at one of them.
    pub fn at(&self, places: &[u32]) -> u64 {
        match self {
            Self::COrder(records) => at(records, places),
            Self::RustOrder(records) => at(records, places),
            Self::Packed(records) => at(records, places),
            Self::Columns(columns) => {
                add(places.iter().map(|&place| columns.event(place as usize)))
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

fn at<R: Record>(records: &[R], places: &[u32]) -> u64 {
    add(places.iter().map(|&place| records[place as usize].event()))
}

fn add(events: impl Iterator<Item = Event>) -> u64 {
    events.map(|event| u64::from(event.kind) + event.at + u64::from(event.amount)).sum()
}
// ANCHOR_END: scan
