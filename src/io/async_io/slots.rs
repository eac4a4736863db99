//! Places with numbers that are never given out twice, so that a late answer finds no wrong owner.

/// Values, each with a number.
pub(super) struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

struct Slot<T> {
    /// Counts the values that have been here.
    generation: u32,
    value: Option<T>,
}

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        Self { slots: vec![], free: vec![] }
    }

    /// Keeps `value`, and returns its number.
    pub(super) fn insert(&mut self, value: T) -> u64 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, value: None });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        slot.value = Some(value);
        number(index, slot.generation)
    }

    /// Returns the value with this number, if it is still here.
    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        let (index, generation) = (number as u32, (number >> 32) as u32);
        let slot = self.slots.get_mut(index as usize)?;
        if slot.generation != generation {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = generation.wrapping_add(1);
        self.free.push(index);
        Some(value)
    }

    /// Returns the number of a value for which `is_it` is true.
    pub(super) fn find(&self, is_it: impl Fn(&T) -> bool) -> Option<u64> {
        let found =
            (0..).zip(&self.slots).find(|(_, slot)| slot.value.as_ref().is_some_and(&is_it));
        found.map(|(index, slot)| number(index, slot.generation))
    }

    /// Removes all values.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> {
        self.free.clear();
        std::mem::take(&mut self.slots).into_iter().filter_map(|slot| slot.value)
    }
}

fn number(index: u32, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_finds_its_value_once_and_no_other() {
        let mut slots = Slots::new();
        let [a, b] = ["a", "b"].map(|value| slots.insert(value));
        assert_eq!(slots.find(|value| *value == "b"), Some(b));
        assert_eq!(slots.remove(a), Some("a"));
        let c = slots.insert("c");
        assert_eq!(slots.remove(a), None, "c has the place of a and another number");
        assert_eq!((slots.remove(c), slots.remove(c)), (Some("c"), None));
        assert_eq!(slots.find(|value| *value == "c"), None);
        assert_eq!(slots.drain().collect::<Vec<_>>(), ["b"]);
        assert_eq!(slots.remove(b), None);
    }
}
