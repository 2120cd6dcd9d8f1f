//! The retention policy: computes the snapshots to keep, and touches none.

use std::collections::BTreeSet;

use crate::timestamp::Timestamp;

/// The number of newest snapshots to keep, and the numbers of hours, days, weeks and months (UTC)
/// of which the newest snapshot is keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RetentionPolicy {
    pub(crate) last: usize,
    pub(crate) hourly: usize,
    pub(crate) daily: usize,
    pub(crate) weekly: usize,
    pub(crate) monthly: usize,
}

impl RetentionPolicy {
    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// A number of periods, and the function that maps a time to its period.
type Period = (usize, fn(Timestamp) -> u64);

/// Returns the times to keep, always with the newest.
pub(crate) fn timestamps_to_keep(
    timestamps: &[Timestamp],
    policy: RetentionPolicy,
) -> BTreeSet<Timestamp> {
    let mut newest_first = timestamps.to_vec();
    newest_first.sort_unstable_by(|one, other| other.cmp(one));
    newest_first.dedup();
    let mut keep: BTreeSet<_> = newest_first
        .iter()
        .take(policy.last.max(1))
        .copied()
        .collect();
    let periods: [Period; 4] = [
        (policy.hourly, Timestamp::hour),
        (policy.daily, Timestamp::day),
        (policy.weekly, Timestamp::week),
        (policy.monthly, Timestamp::month),
    ];
    for (count, period) in periods {
        let mut seen = BTreeSet::new();
        for timestamp in &newest_first {
            if seen.len() == count {
                break;
            }
            if seen.insert(period(*timestamp)) {
                keep.insert(*timestamp);
            }
        }
    }
    keep
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;
    /// The Monday 2026-11-30T00:00:00Z.
    const MONDAY: u64 = 1_795_996_800;

    fn timestamps(seconds: impl IntoIterator<Item = u64>) -> Vec<Timestamp> {
        seconds.into_iter().map(Timestamp::from_seconds).collect()
    }

    fn format_kept(timestamps: &[Timestamp], policy: RetentionPolicy) -> Vec<String> {
        timestamps_to_keep(timestamps, policy)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn every_policy_keeps_the_newest() {
        let all = timestamps([MONDAY, MONDAY + 1, MONDAY + 2]);
        assert_eq!(
            format_kept(&all, RetentionPolicy::default()),
            ["2026-11-30T00:00:02Z"]
        );
        assert!(
            timestamps_to_keep(
                &[],
                RetentionPolicy {
                    last: 3,
                    ..RetentionPolicy::default()
                }
            )
            .is_empty()
        );
    }

    #[test]
    fn last_keeps_the_newest_ones() {
        let all = timestamps((0..10).map(|hour| MONDAY + hour * HOUR));
        let policy = RetentionPolicy {
            last: 2,
            ..RetentionPolicy::default()
        };
        assert_eq!(
            format_kept(&all, policy),
            ["2026-11-30T08:00:00Z", "2026-11-30T09:00:00Z"]
        );
    }

    #[test]
    fn each_period_keeps_its_newest() {
        // Four an hour for 100 days.
        let all = timestamps((0..100 * 96).map(|quarter| MONDAY - quarter * HOUR / 4));
        let only = |policy| format_kept(&all, policy);
        assert_eq!(
            only(RetentionPolicy {
                hourly: 3,
                ..RetentionPolicy::default()
            }),
            [
                "2026-11-29T22:45:00Z",
                "2026-11-29T23:45:00Z",
                "2026-11-30T00:00:00Z"
            ]
        );
        assert_eq!(
            only(RetentionPolicy {
                daily: 3,
                ..RetentionPolicy::default()
            }),
            [
                "2026-11-28T23:45:00Z",
                "2026-11-29T23:45:00Z",
                "2026-11-30T00:00:00Z"
            ]
        );
        assert_eq!(
            only(RetentionPolicy {
                weekly: 3,
                ..RetentionPolicy::default()
            }),
            [
                "2026-11-22T23:45:00Z",
                "2026-11-29T23:45:00Z",
                "2026-11-30T00:00:00Z"
            ]
        );
        assert_eq!(
            only(RetentionPolicy {
                monthly: 3,
                ..RetentionPolicy::default()
            }),
            [
                "2026-09-30T23:45:00Z",
                "2026-10-31T23:45:00Z",
                "2026-11-30T00:00:00Z"
            ]
        );
    }

    #[test]
    fn gaps_do_not_count() {
        // A week without snapshots: the days that have some are counted.
        let all = timestamps([
            MONDAY,
            MONDAY - 8 * DAY,
            MONDAY - 9 * DAY,
            MONDAY - 10 * DAY,
        ]);
        let policy = RetentionPolicy {
            daily: 3,
            ..RetentionPolicy::default()
        };
        assert_eq!(format_kept(&all, policy).len(), 3);
    }

    #[test]
    fn rules_are_combined() {
        let all = timestamps((0..30).map(|day| MONDAY - day * DAY));
        let policy = RetentionPolicy {
            last: 2,
            daily: 3,
            weekly: 2,
            monthly: 2,
            ..RetentionPolicy::default()
        };
        // 30, 29, 28 November; the Sunday is the newest of the previous week; October has none.
        assert_eq!(
            format_kept(&all, policy),
            [
                "2026-11-28T00:00:00Z",
                "2026-11-29T00:00:00Z",
                "2026-11-30T00:00:00Z"
            ]
        );
    }

    proptest! {
        #[test]
        fn keeps_a_subset_and_is_idempotent(
            seconds in prop::collection::vec(0..400 * DAY, 0..200),
            counts in prop::array::uniform5(0_usize..12),
        ) {
            let [last, hourly, daily, weekly, monthly] = counts;
            let policy = RetentionPolicy { last, hourly, daily, weekly, monthly };
            let all = timestamps(seconds);
            let keep = timestamps_to_keep(&all, policy);
            prop_assert!(keep.iter().all(|timestamp| all.contains(timestamp)));
            prop_assert_eq!(keep.last(), all.iter().max());
            let at_least = last.max(1).min(all.iter().collect::<BTreeSet<_>>().len());
            prop_assert!(keep.len() >= at_least);
            prop_assert!(keep.len() <= counts.iter().sum::<usize>() + 1);
            // A second run removes nothing.
            let again: Vec<_> = keep.iter().copied().collect();
            prop_assert_eq!(&timestamps_to_keep(&again, policy), &keep);
            // A policy with larger numbers keeps all of it.
            let more = RetentionPolicy { last: last + 1, hourly: hourly + 1, daily: daily + 1, weekly: weekly + 1, monthly: monthly + 1 };
            prop_assert!(timestamps_to_keep(&all, more).is_superset(&keep));
        }

        #[test]
        fn pruning_after_each_snapshot_loses_no_day(
            start in 0..1_000_u64, days in 1..80_u64, daily in 1_usize..40,
        ) {
            // The unit prunes after each snapshot.
            let policy = RetentionPolicy { daily, ..RetentionPolicy::default() };
            let mut present: Vec<Timestamp> = Vec::new();
            for hour in 0..days * 24 {
                present.push(Timestamp::from_seconds(start * DAY + hour * HOUR));
                present = timestamps_to_keep(&present, policy).into_iter().collect();
            }
            let expected = daily.min(usize::try_from(days).unwrap());
            prop_assert_eq!(present.len(), expected);
        }
    }
}
