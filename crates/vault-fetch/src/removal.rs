//! A secret that is gone from the server leaves this host too. What another secret left in its place
//! stays: a mistake in a path must not take that away.

use cli::warn;
use delivery::{Cache, Error, Rejection, Workplace};

use crate::job::Job;

impl Job {
    pub(crate) fn remove(&self) {
        let copy = self.cache.as_ref().map_or(Ok(()), Cache::forget);
        let output = self.clear();
        for error in [copy, output].into_iter().filter_map(Result::err) {
            warn(format_args!(
                "what is left of the secret could not be removed: {error}"
            ));
        }
    }

    fn clear(&self) -> Result<(), Error> {
        let output = &self.arguments.output;
        if !Workplace::is_there(output) {
            return Ok(());
        }
        let workplace = Workplace::open(output)?;
        if workplace.is_of_another(&self.identity) {
            return Ok(());
        }
        workplace.clear()?;
        Workplace::folder_of(output).map_or(Ok(()), |folder| Rejection::forget(&folder))
    }
}
