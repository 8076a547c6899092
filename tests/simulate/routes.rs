//! The compiled table against the oracle, on small alphabets so that routes collide a lot.

use std::collections::BTreeMap;

use meshcore::balance::Random;
use meshcore::protocol::head::{Field, FieldSet};
use meshcore::route::ClusterSlot;
use meshcore::route::RequestView;
use meshcore::route::RouteTable;
use meshcore::wire;
use meshcore::wire::Kind;
use meshcore::wire::Problems;
use meshcore::wire::route::Match;
use meshcore::wire::route::PathMatch;
use meshcore::wire::route::Route;
use meshcore::wire::route::RouteOrder;
use meshcore::wire::route::StringMatch;
use meshcore::wire::route::Target;

use super::oracle;

const TABLES: u64 = 2_000;
const REQUESTS: usize = 50;

const PATTERNS: [&str; 10] = [
    "*", "*.c", "*.b.c", "*.a.b.c", "c", "b.c", "a.b.c", "A.b.C", "d.c", "[::1]",
];
const HOSTS: [&str; 12] = [
    "c", "b.c", "B.C", "a.b.c", "A.B.c", "x.a.b.c", "x.b.c", "xb.c", "d.c", "[::1]", ".c", "",
];
const SEGMENTS: [&str; 6] = ["a", "b", "ab", "", "1", "A"];
const REGEXES: [&str; 12] = [
    "/a",
    "/a/.*",
    "/a/b|/b/a",
    "/a/[ab]+",
    "/(a|ab)/.*",
    "(?i)/A/B",
    "/a/?",
    ".*1",
    "/a/b/.*",
    "/ab/1?",
    "/[0-9]/a",
    "\\*",
];
const METHODS: [&str; 4] = ["GET", "PUT", "POST", "get"];
const NAMES: [&str; 3] = ["x", "y", "z"];
const TEXTS: [&str; 5] = ["1", "2", "12", "21", "a"];
const TEXT_REGEXES: [&str; 3] = ["[0-9]+", "1.*", "1|2"];

struct Generator {
    random: Random,
    /// Some routes ignore the case of paths.
    folds: bool,
}

impl Generator {
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let index = self.random.below(of.len() as u64);
        of[usize::try_from(index).expect("a small index")]
    }

    /// Yes once in `in_` times.
    fn once(&mut self, in_: u64) -> bool {
        self.random.below(in_) == 0
    }

    fn path(&mut self) -> String {
        let segments: Vec<_> = (0..=self.random.below(3))
            .map(|_| self.one(&SEGMENTS))
            .collect();
        format!("/{}", segments.join("/"))
    }

    fn text(&mut self) -> StringMatch {
        let text = self.one(&TEXTS).to_owned();
        match self.random.below(7) {
            0 => StringMatch::Prefix(text),
            1 => StringMatch::Suffix(text),
            2 => StringMatch::Contains(text),
            3 => StringMatch::Regex(self.one(&TEXT_REGEXES).to_owned()),
            4 => StringMatch::Present(self.once(2)),
            _ => StringMatch::Exact(text),
        }
    }

    fn texts(&mut self) -> BTreeMap<String, StringMatch> {
        let count = self.random.below(6).saturating_sub(3);
        (0..count)
            .map(|_| (self.one(&NAMES).to_owned(), self.text()))
            .collect()
    }

    /// Once in `in_` times.
    fn maybe(&mut self, in_: u64) -> Option<StringMatch> {
        self.once(in_).then(|| self.text())
    }

    fn matches(&mut self) -> Match {
        let path = match self.random.below(11) {
            0 => None,
            8 => Some(PathMatch::StringPrefix(String::new())),
            9 | 10 => {
                let mut text = self.path();
                text.truncate(1 + usize::try_from(self.random.below(5)).expect("a small length"));
                Some(PathMatch::StringPrefix(text))
            }
            1 | 2 => Some(PathMatch::Exact(self.path())),
            3 | 4 => Some(PathMatch::Regex(self.one(&REGEXES).to_owned())),
            _ => Some(PathMatch::Prefix(self.path())),
        };
        let methods = self.random.below(4).saturating_sub(1);
        Match {
            hosts: (0..self.random.below(4))
                .map(|_| self.one(&PATTERNS).to_owned())
                .collect(),
            path,
            methods: (0..methods.min(1) * methods)
                .map(|_| self.one(&METHODS).to_owned())
                .collect(),
            headers: self.texts(),
            query: self.texts(),
            identity: self.maybe(6),
            ignore_path_case: self.folds && self.once(3),
            method_match: self.once(9).then(|| StringMatch::Prefix("P".to_owned())),
            scheme: self.once(9).then(|| StringMatch::Exact("https".to_owned())),
            authority: self.once(9).then(|| StringMatch::Suffix(":80".to_owned())),
            without_headers: if self.once(4) {
                self.texts()
            } else {
                BTreeMap::new()
            },
        }
    }

    fn table(&mut self, order: RouteOrder) -> wire::RouteTable {
        let route = |index, matches| Route {
            name: format!("r{index}"),
            matches,
            to: vec![Target {
                cluster: "c".to_owned(),
                ..Target::default()
            }],
            ..Route::default()
        };
        let count = 1 + self.random.below(40);
        wire::RouteTable {
            name: "t".to_owned(),
            order,
            routes: (0..count)
                .map(|index| route(index, self.matches()))
                .collect(),
        }
    }

    fn query(&mut self) -> String {
        let parameter = |this: &mut Self| {
            if this.once(5) {
                this.one(&NAMES).to_owned()
            } else {
                format!("{}={}", this.one(&NAMES), this.one(&TEXTS))
            }
        };
        (0..self.random.below(4))
            .map(|_| parameter(self))
            .collect::<Vec<_>>()
            .join("&")
    }
}

#[test]
fn the_compiled_table_decides_as_the_oracle() {
    decide_as_the_oracle(RouteOrder::Specific);
}

#[test]
fn a_table_in_document_order_decides_as_a_list() {
    decide_as_the_oracle(RouteOrder::Document);
}

fn decide_as_the_oracle(order: RouteOrder) {
    let mut matched = 0;
    for seed in 0..TABLES {
        let mut generator = Generator {
            random: Random::seeded(seed),
            folds: seed % 4 == 0,
        };
        let table = generator.table(order);
        let mut problems = Problems::new(Kind::RouteTable, "t");
        let compiled = RouteTable::compile(&table, &mut |_| Some(ClusterSlot(0)), &mut problems);
        assert_eq!(problems.into_vec(), [], "seed {seed}");
        for _ in 0..REQUESTS {
            matched += usize::from(agree(&mut generator, &table, &compiled, seed));
        }
    }
    let all = usize::try_from(TABLES).expect("a small count") * REQUESTS;
    assert!(
        matched > all / 8 && matched < all,
        "{matched} of {all} requests took a route"
    );
}

/// Sends one request to both; true when it took a route.
fn agree(
    generator: &mut Generator,
    table: &wire::RouteTable,
    compiled: &RouteTable,
    seed: u64,
) -> bool {
    let path = if generator.once(20) {
        "*".to_owned()
    } else {
        generator.path()
    };
    let query = generator.query();
    let fields: Vec<_> = (0..generator.random.below(4))
        .map(|_| Field {
            name: generator.one(&["x", "X", "y", "Z"]),
            value: generator.one(&TEXTS).as_bytes(),
        })
        .collect();
    let view = RequestView {
        host: generator.one(&HOSTS),
        path: &path,
        query: (!generator.once(3)).then_some(&query),
        method: generator.one(&METHODS),
        scheme: generator.one(&["http", "https"]),
        authority: generator.one(&["c", "c:80"]),
        fields: &fields,
        hidden: FieldSet::EMPTY,
        identity: generator.once(2).then(|| generator.one(&TEXTS)),
    };
    let expected = match table.order {
        RouteOrder::Specific => oracle::find(&table.routes, &view),
        RouteOrder::Document => oracle::find_first(&table.routes, &view),
    };
    let found = compiled.find(&view).map(|route| route.index as usize);
    assert_eq!(
        found, expected,
        "seed {seed}: {view:?} on {:#?}",
        table.routes
    );
    found.is_some()
}
