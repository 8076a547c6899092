//! Paths of all hosts in one trie over segments.
//!
//! Each host has a root. An edge is one segment (`/a/b/` has `a`, `b` and an empty one), found by
//! the hash of its parent and its text. A request walks down once and as far as the trie knows its
//! segments; exact routes are then those of the node it ended on, prefix routes those of the nodes
//! on the way back. A regex hangs at the node of its literal beginning, so that only regexes which
//! share a request's first segments are run. So does a prefix that is mere text.

use std::borrow::Cow;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;

/// The node that a host's paths begin at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Root(u32);

/// How a route compares the path, reduced to what the trie needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PathKey {
    /// The whole path.
    Exact(Box<str>),
    /// Without slashes at its end; empty for every path, those without a slash (`*`) too.
    Prefix(Box<str>),
    /// Whole segments that each match begins with, without a slash at the end.
    Regex(Box<str>),
    /// The whole segments of a prefix that is mere text.
    Text(Box<str>),
}

/// Positions of candidates, in order of precedence, by path.
#[derive(Debug)]
pub(super) struct PathTrie {
    nodes: Vec<Node>,
    edges: HashTable<Edge>,
    hasher: RandomState,
    has_regex: bool,
    /// Segments are in lower case: some route ignores case, and the others look themselves.
    folded: bool,
}

#[derive(Debug)]
struct Node {
    /// `None` for a root.
    up: Option<u32>,
    exact: Bucket,
    regex: Bucket,
    prefix: Bucket,
}

/// As large as a `Vec`, but the few routes that usually share a path need no memory of their own.
type Bucket = SmallVec<[u32; 4]>;

#[derive(Debug)]
struct Edge {
    parent: u32,
    segment: Box<str>,
    child: u32,
}

impl PathTrie {
    /// A trie without hosts; `folded` where case tells nothing apart.
    pub(super) fn new(folded: bool) -> Self {
        Self {
            nodes: Vec::new(),
            edges: HashTable::new(),
            hasher: RandomState::default(),
            has_regex: false,
            folded,
        }
    }

    /// A root for one more host.
    pub(super) fn root(&mut self) -> Root {
        Root(self.node(None))
    }

    /// Adds `position` under `key`; positions must come in order of precedence. To be found by
    /// [`Self::find`] prefixes of mere text come before all others, the longest first.
    pub(super) fn insert(&mut self, root: Root, key: &PathKey, position: u32) {
        let (PathKey::Exact(path)
        | PathKey::Prefix(path)
        | PathKey::Regex(path)
        | PathKey::Text(path)) = key;
        let path = self.spelling(path);
        let mut node = root.0;
        for segment in segments(&path) {
            node = self.child_or_new(node, segment);
        }
        self.has_regex |= matches!(key, PathKey::Regex(_));
        let Some(node) = self.nodes.get_mut(node as usize) else {
            return;
        };
        let bucket = match key {
            PathKey::Exact(_) => &mut node.exact,
            PathKey::Prefix(_) | PathKey::Text(_) => &mut node.prefix,
            PathKey::Regex(_) => &mut node.regex,
        };
        // A route may name the same host twice.
        if bucket.last() != Some(&position) {
            bucket.push(position);
        }
    }

    /// The first position that `accepts`, most specific path first.
    pub(super) fn find(
        &self,
        root: Root,
        path: &str,
        accepts: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let (deepest, complete) = self.walk(root, path);
        if complete && let Some(found) = first(&deepest?.exact, &accepts) {
            return Some(found);
        }
        if self.has_regex
            && let Some(found) = self.best_regex(deepest, &accepts)
        {
            return Some(found);
        }
        self.ascend(deepest)
            .find_map(|node| first(&node.prefix, &accepts))
    }

    /// The lowest position that `accepts`, however specific its path is.
    pub(super) fn find_first(
        &self,
        root: Root,
        path: &str,
        accepts: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let (deepest, complete) = self.walk(root, path);
        let exact = deepest.filter(|_| complete).map(|node| &node.exact);
        let others = self
            .ascend(deepest)
            .flat_map(|node| [&node.regex, &node.prefix]);
        lowest(exact.into_iter().chain(others), &accepts)
    }

    /// The last known node on the way of `path`, and whether the path ends there.
    fn walk(&self, root: Root, path: &str) -> (Option<&Node>, bool) {
        let path = self.spelling(path);
        let mut at = root.0;
        let mut complete = path.starts_with('/');
        for segment in segments(&path) {
            let Some(child) = self.child(at, segment) else {
                complete = false;
                break;
            };
            at = child;
        }
        (self.nodes.get(at as usize), complete)
    }

    fn best_regex(&self, deepest: Option<&Node>, accepts: &impl Fn(u32) -> bool) -> Option<u32> {
        lowest(self.ascend(deepest).map(|node| &node.regex), accepts)
    }

    fn spelling<'p>(&self, path: &'p str) -> Cow<'p, str> {
        if self.folded {
            Cow::Owned(path.to_ascii_lowercase())
        } else {
            Cow::Borrowed(path)
        }
    }

    fn ascend<'s>(&'s self, from: Option<&'s Node>) -> impl Iterator<Item = &'s Node> {
        std::iter::successors(from, |node| self.nodes.get(node.up? as usize))
    }

    fn child(&self, parent: u32, segment: &str) -> Option<u32> {
        let same = |edge: &Edge| edge.parent == parent && *edge.segment == *segment;
        let hash = self.hasher.hash_one((parent, segment));
        self.edges.find(hash, same).map(|edge| edge.child)
    }

    fn child_or_new(&mut self, parent: u32, segment: &str) -> u32 {
        if let Some(child) = self.child(parent, segment) {
            return child;
        }
        let child = self.node(Some(parent));
        let edge = Edge {
            parent,
            segment: segment.into(),
            child,
        };
        let hash = |edge: &Edge| self.hasher.hash_one((edge.parent, &*edge.segment));
        self.edges.insert_unique(hash(&edge), edge, hash);
        child
    }

    fn node(&mut self, up: Option<u32>) -> u32 {
        // Beyond `u32` nodes the table could not have crossed the border: saturate, don't wrap.
        let id = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(Node {
            up,
            exact: Bucket::new(),
            regex: Bucket::new(),
            prefix: Bucket::new(),
        });
        id
    }
}

/// What stands between slashes; nothing for a path that doesn't begin with one.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/')
        .map(|rest| rest.split('/'))
        .into_iter()
        .flatten()
}

/// The lowest position of all buckets that `accepts`; each bucket is in order.
fn lowest<'b>(
    buckets: impl Iterator<Item = &'b Bucket>,
    accepts: &impl Fn(u32) -> bool,
) -> Option<u32> {
    let mut best = None;
    for bucket in buckets {
        let better = |position: &&u32| best.is_none_or(|best| **position < best);
        let found = bucket.iter().take_while(better).find(|it| accepts(**it));
        best = found.copied().or(best);
    }
    best
}

fn first(bucket: &[u32], accepts: &impl Fn(u32) -> bool) -> Option<u32> {
    bucket.iter().copied().find(|position| accepts(*position))
}
