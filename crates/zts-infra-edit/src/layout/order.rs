//! The place of a new name among others.

use std::cmp::Ordering;

use super::block::Slot;

/// Returns the slot of `name` among `names`, which are in the file's order, each with its entry's
/// index.
///
/// Sorted names (by character, or with numbers by value: `web2` before `web10`) stay sorted.
/// Otherwise the new name follows the last one. Returns `None` if there are no names.
pub(crate) fn slot_in_order(names: &[(&str, usize)], name: &str) -> Option<Slot> {
    let last = names.last()?.1;
    let Some(compare) = [
        compare_naturally as fn(&str, &str) -> Ordering,
        compare_plainly,
    ]
    .into_iter()
    .find(|compare| names.is_sorted_by(|left, right| compare(left.0, right.0).is_lt())) else {
        return Some(Slot::After(last));
    };
    let smaller = names
        .iter()
        .take_while(|(other, _)| compare(other, name).is_lt())
        .last();
    Some(match smaller {
        Some((_, index)) => Slot::After(*index),
        None => Slot::Before(names.first()?.1),
    })
}

fn compare_plainly(left: &str, right: &str) -> Ordering {
    left.cmp(right)
}

/// Compares digits by value and other characters one by one; for equal values, the plain order
/// decides.
fn compare_naturally(left: &str, right: &str) -> Ordering {
    let (mut one, mut two) = (left, right);
    loop {
        let (Some(first), Some(second)) = (one.chars().next(), two.chars().next()) else {
            return one.len().cmp(&two.len()).then_with(|| left.cmp(right));
        };
        if first.is_ascii_digit() && second.is_ascii_digit() {
            let (number_one, rest_one) = split_number(one);
            let (number_two, rest_two) = split_number(two);
            let order = number_one
                .len()
                .cmp(&number_two.len())
                .then(number_one.cmp(number_two));
            if order.is_ne() {
                return order;
            }
            (one, two) = (rest_one, rest_two);
        } else if first == second {
            (one, two) = (&one[first.len_utf8()..], &two[second.len_utf8()..]);
        } else {
            return first.cmp(&second);
        }
    }
}

/// Splits off the digits at the start of `text`, without leading zeros.
fn split_number(text: &str) -> (&str, &str) {
    let end = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    (text[..end].trim_start_matches('0'), &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot_of(names: &[&str], name: &str) -> Option<Slot> {
        let names: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(index, name)| (*name, index))
            .collect();
        slot_in_order(&names, name)
    }

    #[test]
    fn sorted_names_stay_sorted() {
        assert_eq!(slot_of(&["a", "c"], "b"), Some(Slot::After(0)));
        assert_eq!(slot_of(&["b", "c"], "a"), Some(Slot::Before(0)));
        assert_eq!(slot_of(&["a", "b"], "c"), Some(Slot::After(1)));
    }

    #[test]
    fn a_name_follows_unsorted_names() {
        assert_eq!(slot_of(&["c", "a"], "b"), Some(Slot::After(1)));
        assert_eq!(slot_of(&[], "b"), None);
    }

    #[test]
    fn numbers_are_compared_by_value_if_the_file_does() {
        assert_eq!(slot_of(&["web1", "web2"], "web10"), Some(Slot::After(1)));
        assert_eq!(
            slot_of(&["web1", "web10", "web2"], "web11"),
            Some(Slot::After(1))
        );
        assert_eq!(slot_of(&["web01", "web1"], "web001"), Some(Slot::Before(0)));
    }
}
