//! The contents that a disk may have at one moment of a [`History`].

use super::history::{Entry, Event, History, Node, ROOT, What};
use super::image::Image;
use super::rules::Rules;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The blocks of a file: an append into a block that the file has already needs no new one.
const BLOCK: u64 = 4096;

/// A disk that is told one event after the other. It knows what is durable, and everything since
/// that may be there.
pub(super) struct Disk<'a> {
    history: &'a History,
    rules: Rules,
    /// The names that are durable.
    names: BTreeMap<Entry, Node>,
    /// The names in memory.
    now: BTreeMap<Entry, Node>,
    /// The changes of names that may be there, in order.
    pending: Vec<NameChange>,
    files: BTreeMap<Node, File>,
    /// The events that no later sync makes durable, because one failed.
    doomed: BTreeSet<usize>,
    /// The events that change what a sync of a node takes along, by node; `true` for those that
    /// `fdatasync` takes along, too.
    involving: HashMap<Node, Vec<(usize, bool)>>,
}

struct NameChange {
    event: usize,
    /// The directories that have not been synced since.
    unsynced: Vec<Node>,
    /// The file that replaces another by it.
    replaces: Option<Node>,
}

/// An event's number plus one; 0 stands for the time before all.
type By = usize;

struct File {
    /// The content in memory.
    memory: Vec<u8>,
    /// The durable content, sector by sector, whatever the size is.
    disk: Vec<u8>,
    /// The durable size, and the later ones.
    sizes: Vec<Size>,
    /// The contents that sectors had since the durable one.
    sectors: BTreeMap<usize, Vec<Version>>,
    /// The bytes that have blocks already.
    allocated: u64,
}

#[derive(Clone, Copy)]
struct Size {
    by: By,
    bytes: u64,
    /// Set by itself and not by a write.
    metadata: bool,
    /// From here on, it is the size that makes blocks visible.
    new_from: u64,
}

struct Version {
    by: By,
    bytes: Box<[u8]>,
    /// Zeros, because the file was cut off.
    metadata: bool,
}

impl File {
    fn new(content: &[u8]) -> Self {
        let bytes = content.len() as u64;
        Self {
            memory: content.to_vec(),
            disk: content.to_vec(),
            sizes: vec![Size { by: 0, bytes, metadata: true, new_from: 0 }],
            sectors: BTreeMap::new(),
            allocated: bytes.next_multiple_of(BLOCK),
        }
    }

    fn write(&mut self, by: By, tear: usize, offset: usize, data: &[u8]) -> bool {
        if data.is_empty() {
            return false;
        }
        let end = offset + data.len();
        let grows = end > self.memory.len();
        if grows {
            self.memory.resize(end, 0);
            self.resized(by, false);
        }
        self.memory[offset..end].copy_from_slice(data);
        (offset / tear..=(end - 1) / tear).for_each(|sector| self.changed(by, tear, sector, false));
        grows
    }

    fn truncate(&mut self, by: By, tear: usize, size: usize) {
        let before = self.memory.len();
        self.memory.resize(size, 0);
        if size < before {
            self.allocated = self.allocated.min((size as u64).next_multiple_of(BLOCK));
            (size / tear..=(before - 1) / tear)
                .for_each(|sector| self.changed(by, tear, sector, true));
        }
        if size != before {
            self.resized(by, true);
        }
    }

    fn allocate(&mut self, by: By, size: u64) {
        self.allocated = self.allocated.max(size.next_multiple_of(BLOCK));
        if size as usize > self.memory.len() {
            self.memory.resize(size as usize, 0);
            self.resized(by, true);
        }
    }

    fn resized(&mut self, by: By, metadata: bool) {
        let bytes = self.memory.len() as u64;
        self.sizes.push(Size { by, bytes, metadata, new_from: self.allocated });
    }

    fn changed(&mut self, by: By, tear: usize, sector: usize, metadata: bool) {
        let mut bytes = vec![0; tear].into_boxed_slice();
        let there = self.memory.get(sector * tear..).unwrap_or_default();
        let there = &there[..there.len().min(tear)];
        bytes[..there.len()].copy_from_slice(there);
        self.sectors.entry(sector).or_default().push(Version { by, bytes, metadata });
    }

    /// Makes durable what the events did that are `covered`.
    fn settle(&mut self, tear: usize, covered: impl Fn(By, bool) -> bool) {
        self.sectors.retain(|sector, versions| {
            let last = versions.iter().rposition(|version| covered(version.by, version.metadata));
            if let Some(last) = last {
                let start = sector * tear;
                if self.disk.len() < start + tear {
                    self.disk.resize(start + tear, 0);
                }
                self.disk[start..start + tear].copy_from_slice(&versions[last].bytes);
                versions.drain(..=last);
            }
            !versions.is_empty()
        });
        let last = self.sizes.iter().skip(1).rposition(|size| covered(size.by, size.metadata));
        if let Some(last) = last {
            self.sizes.drain(..=last);
            let durable = self.sizes[0].bytes.min(self.memory.len() as u64);
            self.allocated = self.allocated.max(durable.next_multiple_of(BLOCK));
        }
    }
}

impl<'a> Disk<'a> {
    pub(super) fn new(history: &'a History, rules: Rules) -> Self {
        let files = history.nodes.iter().enumerate();
        let files = files
            .filter_map(|(node, content)| Some((Node(node), File::new(content.as_deref()?))))
            .collect();
        Self {
            history,
            rules,
            names: history.names.clone(),
            now: history.names.clone(),
            pending: vec![],
            files,
            doomed: BTreeSet::new(),
            involving: HashMap::new(),
        }
    }

    /// Lets an event begin: from now on, its effects may be on the disk. Syncs have none yet.
    pub(super) fn begin(&mut self, number: usize) {
        let (by, tear, history) = (number + 1, self.rules.tear, self.history);
        let what = &history.events[number].what;
        let mut replaces = None;
        match what {
            What::Link { at, node } => {
                self.now.insert(at.clone(), *node);
                self.involves(*node, number, true);
            }
            What::Unlink { at } => drop(self.now.remove(at)),
            What::Rename { from, to, node } => {
                self.now.remove(from);
                replaces = self.now.insert(to.clone(), *node).map(|_| *node);
                self.involves(*node, number, false);
            }
            What::Write { file, offset, data, .. } => {
                if self.file(*file).write(by, tear, *offset as usize, data) {
                    self.involves(*file, number, true);
                }
            }
            What::Truncate { file, size } => {
                self.file(*file).truncate(by, tear, *size as usize);
                self.involves(*file, number, true);
            }
            What::Allocate { file, size } => {
                self.file(*file).allocate(by, *size);
                self.involves(*file, number, true);
            }
            What::Sync { .. }
            | What::SyncEverything
            | What::SyncFailed { .. }
            | What::Acknowledge(_) => {}
        }
        let mut unsynced: Vec<Node> = what.entries().iter().map(|at| at.directory).collect();
        if !unsynced.is_empty() {
            unsynced.dedup();
            unsynced.iter().for_each(|&directory| self.involves(directory, number, true));
            self.pending.push(NameChange { event: number, unsynced, replaces });
        }
    }

    /// Lets an event end: a sync, or a write that returns when it is durable.
    pub(super) fn end(&mut self, number: usize) {
        let history = self.history;
        let event = &history.events[number];
        match &event.what {
            What::Write { file, durable: true, .. } => {
                let tear = self.rules.tear;
                self.file(*file).settle(tear, |by, _| by == number + 1);
            }
            What::Sync { node, data_only } => {
                self.settle(event, Some(*node));
                self.settle_names(event, |directory| directory == *node);
                if self.rules.metadata_in_order {
                    self.settle_metadata(event, *node, *data_only);
                }
                self.flush_names();
            }
            What::SyncEverything => {
                self.settle(event, None);
                self.settle_names(event, |_| true);
                self.flush_names();
            }
            What::SyncFailed { node } => {
                let before = (0..).zip(&history.events[..number]);
                let lost = before.filter(|(_, other)| {
                    let directories = other.what.entries();
                    other.ended < event.began
                        && (other.what.file() == Some(*node)
                            || directories.iter().any(|at| at.directory == *node))
                });
                self.doomed.extend(lost.map(|(number, _)| number));
            }
            _ => {}
        }
    }

    fn file(&mut self, node: Node) -> &mut File {
        self.files.get_mut(&node).expect("data is written to files")
    }

    fn involves(&mut self, node: Node, event: usize, data: bool) {
        self.involving.entry(node).or_default().push((event, data));
    }

    /// Makes the data of a file durable, or of all, as of the call of `sync`.
    fn settle(&mut self, sync: &Event, node: Option<Node>) {
        let (history, doomed, tear) = (self.history, &self.doomed, self.rules.tear);
        let covered =
            |by: By, _| history.events[by - 1].ended < sync.began && !doomed.contains(&(by - 1));
        let files =
            self.files.iter_mut().filter(|(file, _)| node.is_none_or(|node| node == **file));
        files.for_each(|(_, file)| file.settle(tear, covered));
    }

    /// Notes which directories have been synced since their names changed.
    fn settle_names(&mut self, sync: &Event, synced: impl Fn(Node) -> bool) {
        for change in &mut self.pending {
            let before = self.history.events[change.event].ended < sync.began;
            if before && !self.doomed.contains(&change.event) {
                change.unsynced.retain(|directory| !synced(*directory));
            }
        }
    }

    /// Makes durable all changes of names and sizes up to the last that the sync of `node` takes
    /// along.
    fn settle_metadata(&mut self, sync: &Event, node: Node, data_only: bool) {
        let (history, doomed, tear) = (self.history, &self.doomed, self.rules.tear);
        let before = |event: usize| history.events[event].ended < sync.began;
        let involved = self.involving.get(&node).into_iter().flatten();
        let taken = involved.filter(|(event, data)| before(*event) && (*data || !data_only));
        let Some(last) = taken.map(|(event, _)| *event).max() else { return };
        for change in self.pending.iter_mut().filter(|change| change.event <= last) {
            if before(change.event) && !doomed.contains(&change.event) {
                change.unsynced.clear();
                let file = change.replaces.and_then(|file| self.files.get_mut(&file));
                if let (true, Some(file)) = (self.rules.replacement_after_data, file) {
                    file.settle(tear, |by, _| by <= change.event && !doomed.contains(&(by - 1)));
                }
            }
        }
        for file in self.files.values_mut() {
            file.settle(tear, |by, metadata| {
                metadata && by <= last + 1 && before(by - 1) && !doomed.contains(&(by - 1))
            });
        }
    }

    /// Moves the changes of names that are durable, and those that they rest on, to the durable
    /// names.
    fn flush_names(&mut self) {
        let mut taken: Vec<bool> =
            self.pending.iter().map(|change| change.unsynced.is_empty()).collect();
        self.complete(&mut taken);
        for (change, _) in self.pending.iter().zip(&taken).filter(|(_, taken)| **taken) {
            rename(&mut self.names, &self.history.events[change.event].what);
        }
        let mut taken = taken.into_iter();
        self.pending.retain(|_| !taken.next().unwrap_or_default());
    }

    /// Adds the changes of names on which those that are `taken` rest: an entry's states follow
    /// each other.
    fn complete(&self, taken: &mut [bool]) {
        let entries = |index: usize| {
            let change: &NameChange = &self.pending[index];
            self.history.events[change.event].what.entries()
        };
        for later in (0..taken.len()).rev().filter(|_| !self.rules.metadata_in_order) {
            for earlier in (0..later).filter(|_| taken[later]).collect::<Vec<_>>() {
                taken[earlier] |= entries(earlier).iter().any(|at| entries(later).contains(at));
            }
        }
        if self.rules.metadata_in_order
            && let Some(last) = taken.iter().rposition(|taken| *taken)
        {
            taken[..last].fill(true);
        }
    }

    /// Returns everything that the disk may hold if the power fails now.
    pub(super) fn choices(&self) -> Choices<'_> {
        let linked: BTreeSet<Node> = self
            .names
            .values()
            .copied()
            .chain(self.pending.iter().filter_map(|change| {
                match &self.history.events[change.event].what {
                    What::Link { node, .. } | What::Rename { node, .. } => Some(*node),
                    _ => None,
                }
            }))
            .collect();
        let mut choices = Choices {
            disk: self,
            dimensions: (0..self.pending.len()).map(Dimension::Name).collect(),
            options: vec![2; self.pending.len()],
            of_file: BTreeMap::new(),
            fixed: HashMap::new(),
        };
        for (node, file) in self.files.iter().filter(|(node, _)| linked.contains(node)) {
            if file.sizes.len() == 1 && file.sectors.is_empty() {
                choices.fixed.insert(*node, file.content(self.rules.tear, 0, |_| 0).into());
                continue;
            }
            choices.of_file.insert(*node, choices.dimensions.len());
            choices.dimensions.push(Dimension::Size(*node));
            choices.options.push(file.sizes.len());
            for (sector, versions) in &file.sectors {
                choices.dimensions.push(Dimension::Sector(*node, *sector));
                choices.options.push(versions.len() + 1);
            }
        }
        choices
    }
}

impl File {
    /// Returns the content with one of the sizes, and of each sector one of the versions: 0 is the
    /// durable one.
    fn content(&self, tear: usize, size: usize, version: impl Fn(usize) -> usize) -> Vec<u8> {
        let bytes = self.sizes[size].bytes as usize;
        let mut content = self.disk.get(..bytes).unwrap_or(&self.disk).to_vec();
        content.resize(bytes, 0);
        for (index, (sector, versions)) in self.sectors.iter().enumerate() {
            let start = sector * tear;
            if let Some(chosen) = version(index).checked_sub(1)
                && start < bytes
            {
                let length = tear.min(bytes - start);
                content[start..start + length].copy_from_slice(&versions[chosen].bytes[..length]);
            }
        }
        content
    }
}

/// Applies a change of names.
fn rename(names: &mut BTreeMap<Entry, Node>, what: &What) {
    match what {
        What::Link { at, node } => drop(names.insert(at.clone(), *node)),
        What::Unlink { at } => drop(names.remove(at)),
        What::Rename { from, to, node } => {
            names.remove(from);
            names.insert(to.clone(), *node);
        }
        _ => {}
    }
}

/// Everything that a disk may hold at one moment: for each [`Dimension`], one of its options.
/// Option 0 is what is durable, and the last is what is in memory.
pub(super) struct Choices<'a> {
    disk: &'a Disk<'a>,
    dimensions: Vec<Dimension>,
    options: Vec<usize>,
    /// The dimension of each file's size; those of its sectors follow it.
    of_file: BTreeMap<Node, usize>,
    /// The contents of the files that have no choice.
    fixed: HashMap<Node, Arc<[u8]>>,
}

#[derive(Clone, Copy)]
enum Dimension {
    Name(usize),
    Size(Node),
    Sector(Node, usize),
}

impl Choices<'_> {
    /// Returns the number of options in each dimension.
    pub(super) fn options(&self) -> &[usize] {
        &self.options
    }

    /// Returns the choice of everything that had begun before event `number`: a power cut that
    /// loses nothing else.
    pub(super) fn as_of(&self, number: usize) -> Vec<usize> {
        let disk = self.disk;
        let last = |of: usize| of + 1;
        let mut chosen: Vec<usize> = vec![];
        for dimension in &self.dimensions {
            chosen.push(match dimension {
                Dimension::Name(index) => usize::from(disk.pending[*index].event < number),
                Dimension::Size(node) => {
                    let sizes = &disk.files[node].sizes;
                    sizes.iter().rposition(|size| size.by <= number).unwrap_or(0)
                }
                Dimension::Sector(node, sector) => {
                    let versions = &disk.files[node].sectors[sector];
                    versions.iter().rposition(|version| version.by <= number).map_or(0, last)
                }
            });
        }
        chosen
    }

    /// Returns `true` if a dimension is about names, and not about data.
    pub(super) fn is_name(&self, dimension: usize) -> bool {
        matches!(self.dimensions[dimension], Dimension::Name(_))
    }

    /// Returns `true` if a dimension is about a size.
    pub(super) fn is_size(&self, dimension: usize) -> bool {
        matches!(self.dimensions[dimension], Dimension::Size(_))
    }

    /// Makes a choice legal: adds what the chosen options imply.
    pub(super) fn complete(&self, chosen: &mut [usize]) {
        let (disk, rules) = (self.disk, self.disk.rules);
        loop {
            let before = chosen.to_vec();
            let mut names: Vec<bool> =
                chosen[..disk.pending.len()].iter().map(|&c| c > 0).collect();
            disk.complete(&mut names);
            chosen.iter_mut().zip(&names).for_each(|(chosen, name)| *chosen = usize::from(*name));
            if rules.metadata_in_order {
                self.complete_metadata(chosen);
            }
            for (&node, &at) in self.of_file.iter().filter(|_| rules.size_after_data) {
                let size = disk.files[&node].sizes[chosen[at]];
                if chosen[at] > 0 && !size.metadata {
                    let new = size.new_from as usize..size.bytes as usize;
                    self.raise(chosen, node, |sector, version| {
                        new.contains(&(sector * rules.tear)) && version.by <= size.by
                    });
                }
            }
            for (index, change) in disk.pending.iter().enumerate() {
                if let (true, Some(node)) = (rules.replacement_after_data, change.replaces)
                    && chosen[index] > 0
                    && let Some(&at) = self.of_file.get(&node)
                {
                    let sizes = &disk.files[&node].sizes;
                    let size = sizes.iter().rposition(|size| size.by <= change.event);
                    chosen[at] = chosen[at].max(size.unwrap_or(0));
                    self.raise(chosen, node, |_, version| version.by <= change.event);
                }
            }
            if before == chosen {
                return;
            }
        }
    }

    /// Raises each sector of a file at least to its last version that is `needed`.
    fn raise(&self, chosen: &mut [usize], node: Node, needed: impl Fn(usize, &Version) -> bool) {
        let at = self.of_file[&node] + 1;
        for (index, (sector, versions)) in self.disk.files[&node].sectors.iter().enumerate() {
            if let Some(last) = versions.iter().rposition(|version| needed(*sector, version)) {
                chosen[at + index] = chosen[at + index].max(last + 1);
            }
        }
    }

    /// Adds the changes of metadata before the last one that is chosen.
    fn complete_metadata(&self, chosen: &mut [usize]) {
        let disk = self.disk;
        let mut last = 0;
        for (change, _) in disk.pending.iter().zip(&*chosen).filter(|(_, chosen)| **chosen > 0) {
            last = last.max(change.event + 1);
        }
        for (node, &at) in &self.of_file {
            let file = &disk.files[node];
            last = last.max(file.sizes[chosen[at]].by);
            // Data in the place of what was cut off lies in new blocks.
            for (index, versions) in file.sectors.values().enumerate() {
                let versions = &versions[..chosen[at + 1 + index]];
                let cut = versions.iter().rev().find(|version| version.metadata);
                last = last.max(cut.map_or(0, |version| version.by));
            }
        }
        for (index, change) in disk.pending.iter().enumerate() {
            chosen[index] |= usize::from(change.event < last);
        }
        for (&node, &at) in &self.of_file {
            let sizes = &disk.files[&node].sizes;
            let size = sizes.iter().rposition(|size| size.metadata && size.by <= last);
            chosen[at] = chosen[at].max(size.unwrap_or(0));
            self.raise(chosen, node, |_, version| version.metadata && version.by <= last);
        }
    }

    /// Returns what the disk holds by a legal choice.
    pub(super) fn image(&self, chosen: &[usize]) -> Image {
        let disk = self.disk;
        let mut names = disk.names.clone();
        for (change, _) in disk.pending.iter().zip(chosen).filter(|(_, chosen)| **chosen > 0) {
            rename(&mut names, &disk.history.events[change.event].what);
        }
        let mut image = Image::default();
        let mut folders = vec![(ROOT, String::new())];
        let mut seen = BTreeSet::from([ROOT]);
        while let Some((folder, prefix)) = folders.pop() {
            let first = Entry::new(folder, "");
            for (at, node) in names.range(first..).take_while(|(at, _)| at.directory == folder) {
                let path = format!("{prefix}{}", at.name);
                let content = disk.files.get(node).map(|file| match self.fixed.get(node) {
                    Some(content) => content.clone(),
                    None => {
                        let at = self.of_file[node];
                        let version = |index: usize| chosen[at + 1 + index];
                        file.content(disk.rules.tear, chosen[at], version).into()
                    }
                });
                if content.is_none() && seen.insert(*node) {
                    folders.push((*node, format!("{path}/")));
                }
                image.put(&path, content);
            }
        }
        image
    }

    /// Returns a line for each event that is not durable: how much of it a choice has on the disk.
    pub(super) fn describe(&self, chosen: &[usize]) -> Vec<String> {
        let disk = self.disk;
        // For each event: what is there of it, of how much, and of which kind.
        let mut parts: BTreeMap<By, Vec<(bool, &str)>> = BTreeMap::new();
        for (dimension, &chosen) in self.dimensions.iter().zip(chosen) {
            match dimension {
                Dimension::Name(index) => {
                    let parts = parts.entry(disk.pending[*index].event + 1).or_default();
                    parts.push((chosen > 0, "name"));
                }
                Dimension::Size(node) => {
                    for (index, size) in disk.files[node].sizes.iter().enumerate().skip(1) {
                        parts.entry(size.by).or_default().push((chosen >= index, "size"));
                    }
                }
                Dimension::Sector(node, sector) => {
                    for (index, version) in disk.files[node].sectors[sector].iter().enumerate() {
                        parts.entry(version.by).or_default().push((chosen > index, "sector"));
                    }
                }
            }
        }
        let line = |(by, parts): (By, Vec<(bool, &str)>)| {
            let count = |kind: &str| parts.iter().filter(|part| part.1 == kind).count();
            let there = |kind: &str| parts.iter().filter(|part| part.1 == kind && part.0).count();
            let mut state = match parts.iter().filter(|part| part.0).count() {
                0 => "lost".to_owned(),
                all if all == parts.len() => "there".to_owned(),
                _ => format!("{} of {} sectors there", there("sector"), count("sector")),
            };
            if state.contains(" of ") && count("size") > there("size") {
                state += ", its size lost";
            }
            format!("{state}: {}", disk.history.describe(&disk.history.events[by - 1].what))
        };
        parts.into_iter().map(line).collect()
    }
}
