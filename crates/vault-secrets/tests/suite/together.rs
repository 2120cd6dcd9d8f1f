//! Runs at the same moment.

use serde_json::json;

use crate::host::{Host, done};

#[test]
fn timers_that_fall_together_are_one_question() {
    testkit::require_bao!();
    let host = Host::new("timers");
    let names = ["a", "b", "c", "d", "e"];
    for name in names {
        host.declare(name, &json!({})).put(name, "one");
    }
    done(&host.rotate("a"));
    for name in names {
        host.put(name, "two");
    }
    let (listed, read) = (host.asked("detailed-metadata"), host.asked("data"));
    // each is about to run while the first is at work: they have started before it asked, or find nothing
    let runs = names.map(|name| host.start_rotation(name));
    for run in runs {
        done(&run.finish());
    }
    let listed = host.asked("detailed-metadata") - listed;
    eprintln!("five runs at once: {listed} listings");
    assert!(listed <= 2, "{listed} listings");
    assert_eq!(host.asked("data") - read, 5);
    assert_eq!(names.map(|name| host.value(name)), ["two"; 5]);
}

#[test]
fn who_waited_reports_how_it_went_for_its_own_secret() {
    testkit::require_bao!();
    let host = Host::new("waited");
    host.declare("bad", &json!({ "required_keys": ["user"] }))
        .put("bad", "one");
    host.declare("good", &json!({})).put("good", "one");
    for _ in 0..5 {
        let runs = ["bad", "good"].map(|name| host.start_rotation(name));
        let codes = runs.map(|run| run.finish().code());
        assert_eq!(codes, [Some(1), Some(0)]);
    }
}
