//! Runs work for several items at once: most of a request's time is waiting for the answer.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

const MAX_THREADS: usize = 8;

/// Returns the results of `work` for each item, in the items' order. Each thread has its own
/// context. No item is begun after the first error.
pub(crate) fn try_map<'a, I: Sync, T, R: Send, E: Send>(
    items: &'a [I],
    context: impl Fn() -> T + Sync,
    work: impl Fn(&mut T, &'a I) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    thread::scope(|scope| {
        for _ in 0..MAX_THREADS.min(items.len()) {
            scope.spawn(|| {
                let mut context = context();
                while !stopped.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { return };
                    let result = work(&mut context, item);
                    if result.is_err() {
                        stopped.store(true, Ordering::Relaxed);
                    }
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    results.push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_the_order_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        let doubled = try_map(&items, || (), |(), item| Ok::<_, ()>(item * 2));
        let expected: Vec<usize> = items.iter().map(|item| item * 2).collect();
        assert_eq!(doubled, Ok(expected));
        assert_eq!(try_map(&[], || (), |(), _: &u8| Ok::<_, ()>(1)), Ok(vec![]));
    }

    #[test]
    fn after_an_error_nothing_new_is_begun() {
        let begun = AtomicUsize::new(0);
        let items: Vec<usize> = (0..100_000).collect();
        let result = try_map(
            &items,
            || (),
            |(), item| {
                begun.fetch_add(1, Ordering::Relaxed);
                if *item == 5 { Err("five") } else { Ok(()) }
            },
        );
        assert_eq!(result, Err("five"));
        assert!(begun.into_inner() < items.len());
    }
}
