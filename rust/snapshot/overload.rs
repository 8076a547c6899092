//! What can be wrong with the bounds of the process.

use crate::wire::{Kind, Overload, Problem, Problems};

pub(super) fn check(overload: &Overload) -> Vec<Problem> {
    let mut problems = Problems::new(Kind::Overload, &overload.name);
    if overload.max_open_files_percent > 100 {
        problems.add(
            "percentage_invalid",
            "max_open_files_percent",
            format!("{} is no percentage", overload.max_open_files_percent),
            "write 0 to 100",
        );
    }
    let stages = &overload.stages;
    let order = [
        ("close_idle", stages.close_idle),
        ("refuse_low", stages.refuse_low),
        ("refuse_default", stages.refuse_default),
        ("refuse_all", stages.refuse_all),
    ];
    for pair in order.windows(2) {
        if let [(before, earlier), (key, later)] = pair
            && earlier > later
        {
            problems.add(
                "overload_stages_order",
                format!("stages.{key}"),
                format!("{key} at {later} % would begin before {before} at {earlier} %"),
                "each stage begins with the one before it or later",
            );
        }
    }
    problems.into_vec()
}
