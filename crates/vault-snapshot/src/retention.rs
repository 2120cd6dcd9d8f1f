//! Which snapshots stay. Nothing here touches one.

use std::collections::BTreeSet;

use crate::moment::Moment;

/// How many stay: the newest, and the newest of so many hours, days, weeks and months that have any (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) last: usize,
    pub(crate) hourly: usize,
    pub(crate) daily: usize,
    pub(crate) weekly: usize,
    pub(crate) monthly: usize,
}

impl Rule {
    /// Whether it says nothing.
    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// How many of a kind of period stay, and which one a moment falls into.
type Period = (usize, fn(Moment) -> u64);

/// Those of `moments` that stay. The newest always does.
pub(crate) fn kept(moments: &[Moment], rule: Rule) -> BTreeSet<Moment> {
    let mut newest_first = moments.to_vec();
    newest_first.sort_unstable_by(|one, other| other.cmp(one));
    newest_first.dedup();
    let mut kept: BTreeSet<_> = newest_first
        .iter()
        .take(rule.last.max(1))
        .copied()
        .collect();
    let periods: [Period; 4] = [
        (rule.hourly, Moment::hour),
        (rule.daily, Moment::day),
        (rule.weekly, Moment::week),
        (rule.monthly, Moment::month),
    ];
    for (count, period) in periods {
        let mut seen = BTreeSet::new();
        for moment in &newest_first {
            if seen.len() == count {
                break;
            }
            if seen.insert(period(*moment)) {
                kept.insert(*moment);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;
    /// 2026-11-30T00:00:00Z, a Monday.
    const MONDAY: u64 = 1_795_996_800;

    fn moments(seconds: impl IntoIterator<Item = u64>) -> Vec<Moment> {
        seconds.into_iter().map(Moment::from_seconds).collect()
    }

    fn shown(moments: &[Moment], rule: Rule) -> Vec<String> {
        kept(moments, rule)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_newest_stays_whatever_the_rule() {
        let all = moments([MONDAY, MONDAY + 1, MONDAY + 2]);
        assert_eq!(shown(&all, Rule::default()), ["2026-11-30T00:00:02Z"]);
        assert!(
            kept(
                &[],
                Rule {
                    last: 3,
                    ..Rule::default()
                }
            )
            .is_empty()
        );
    }

    #[test]
    fn the_last_ones_stay() {
        let all = moments((0..10).map(|hour| MONDAY + hour * HOUR));
        let rule = Rule {
            last: 2,
            ..Rule::default()
        };
        assert_eq!(
            shown(&all, rule),
            ["2026-11-30T08:00:00Z", "2026-11-30T09:00:00Z"]
        );
    }

    #[test]
    fn of_each_period_the_newest_stays() {
        // Four an hour for 100 days.
        let all = moments((0..100 * 96).map(|quarter| MONDAY - quarter * HOUR / 4));
        let only = |rule| shown(&all, rule);
        assert_eq!(
            only(Rule {
                hourly: 3,
                ..Rule::default()
            }),
            [
                "2026-11-29T22:45:00Z",
                "2026-11-29T23:45:00Z",
                "2026-11-30T00:00:00Z"
            ]
        );
        assert_eq!(
            only(Rule {
                daily: 3,
                ..Rule::default()
            }),
            [
                "2026-11-28T23:45:00Z",
                "2026-11-29T23:45:00Z",
                "2026-11-30T00:00:00Z"
            ]
        );
        assert_eq!(
            only(Rule {
                weekly: 3,
                ..Rule::default()
            }),
            [
                "2026-11-22T23:45:00Z",
                "2026-11-29T23:45:00Z",
                "2026-11-30T00:00:00Z"
            ]
        );
        assert_eq!(
            only(Rule {
                monthly: 3,
                ..Rule::default()
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
        let all = moments([
            MONDAY,
            MONDAY - 8 * DAY,
            MONDAY - 9 * DAY,
            MONDAY - 10 * DAY,
        ]);
        let rule = Rule {
            daily: 3,
            ..Rule::default()
        };
        assert_eq!(shown(&all, rule).len(), 3);
    }

    #[test]
    fn rules_add_up() {
        let all = moments((0..30).map(|day| MONDAY - day * DAY));
        let rule = Rule {
            last: 2,
            daily: 3,
            weekly: 2,
            monthly: 2,
            ..Rule::default()
        };
        // 30, 29, 28 November; the Sunday is the newest of the week before; nothing of October is there.
        assert_eq!(
            shown(&all, rule),
            [
                "2026-11-28T00:00:00Z",
                "2026-11-29T00:00:00Z",
                "2026-11-30T00:00:00Z"
            ]
        );
    }

    proptest! {
        #[test]
        fn what_stays_is_some_of_it_and_stays_the_next_time(
            seconds in prop::collection::vec(0..400 * DAY, 0..200),
            counts in prop::array::uniform5(0_usize..12),
        ) {
            let [last, hourly, daily, weekly, monthly] = counts;
            let rule = Rule { last, hourly, daily, weekly, monthly };
            let all = moments(seconds);
            let stay = kept(&all, rule);
            prop_assert!(stay.iter().all(|moment| all.contains(moment)));
            prop_assert_eq!(stay.last(), all.iter().max());
            let at_least = last.max(1).min(all.iter().collect::<BTreeSet<_>>().len());
            prop_assert!(stay.len() >= at_least);
            prop_assert!(stay.len() <= counts.iter().sum::<usize>() + 1);
            // A second run takes nothing more.
            let again: Vec<_> = stay.iter().copied().collect();
            prop_assert_eq!(&kept(&again, rule), &stay);
            // A rule that keeps more keeps all of it.
            let more = Rule { last: last + 1, hourly: hourly + 1, daily: daily + 1, weekly: weekly + 1, monthly: monthly + 1 };
            prop_assert!(kept(&all, more).is_superset(&stay));
        }

        #[test]
        fn one_a_day_by_the_hour_keeps_each_period_that_the_rule_reaches(
            start in 0..1_000_u64, days in 1..80_u64, daily in 1_usize..40,
        ) {
            // Pruned after each snapshot, as the unit does it, no day is lost that is kept in the end.
            let rule = Rule { daily, ..Rule::default() };
            let mut there: Vec<Moment> = Vec::new();
            for hour in 0..days * 24 {
                there.push(Moment::from_seconds(start * DAY + hour * HOUR));
                there = kept(&there, rule).into_iter().collect();
            }
            let expected = daily.min(usize::try_from(days).unwrap());
            prop_assert_eq!(there.len(), expected);
        }
    }
}
