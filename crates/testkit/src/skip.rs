//! Tests that a machine cannot run say so by name.

use std::io::Write;

/// Writes `skipped: <test>: <missing>` to stderr. It bypasses the capturing of the test harness,
/// which would hide the line of a test that passes. The macros [`crate::skip`],
/// [`crate::require_bao`] and [`crate::require_kubernetes`] call it with the name of the function they stand in.
pub fn report_skipped(marker: &str, missing: &str) {
    let test = marker.trim_end_matches("::here");
    // A stderr that is closed is no reason to fail.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {missing}");
}

/// Leaves the test function it stands in, saying what the machine lacks:
/// `let Some(disk) = Tmpfs::mount(65_536) else { skip!("mounting needs root") };`
#[macro_export]
macro_rules! skip {
    ($($missing:tt)+) => {{
        fn here() {}
        $crate::report_skipped(::std::any::type_name_of_val(&here), &format!($($missing)+));
        return;
    }};
}

/// Leaves the test function it stands in where there is no `bao`.
#[macro_export]
macro_rules! require_bao {
    () => {
        if $crate::bao().is_none() {
            $crate::skip!("no bao on this machine");
        }
    };
}

/// Leaves the test function it stands in where there is no Kubernetes to start.
#[macro_export]
macro_rules! require_kubernetes {
    () => {
        if let Some(missing) = $crate::missing_of_kubernetes() {
            $crate::skip!("no {missing} on this machine");
        }
    };
}
