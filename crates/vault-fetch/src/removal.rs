//! A secret that is gone from the server leaves this host too. What another secret left in its place
//! stays: a mistake in a path must not take that away.

use cli::warn;
use delivery::{Cache, Error, Rejection, Workplace};

use crate::job::{Attempt, Job};

impl Job {
    pub(crate) fn remove(&self) -> Attempt {
        let output = match self.clear() {
            Ok(Attempt::Overtaken) => return Attempt::Overtaken,
            Ok(Attempt::Done) => Ok(()),
            Err(error) => Err(error),
        };
        let copy = self.cache.as_ref().map_or(Ok(()), Cache::forget);
        for error in [output, copy].into_iter().filter_map(Result::err) {
            warn(format_args!(
                "what is left of the secret could not be removed: {error}"
            ));
        }
        Attempt::Done
    }

    fn clear(&self) -> Result<Attempt, Error> {
        let output = &self.arguments.output;
        if !Workplace::is_there(output) {
            return Ok(Attempt::Done);
        }
        let workplace = Workplace::open(output)?;
        if workplace.is_of_another(&self.identity) {
            return Ok(Attempt::Done);
        }
        if workplace.was_written_since(&self.seen) {
            return Ok(Attempt::Overtaken); // the secret may be back
        }
        workplace.clear()?;
        Workplace::folder_of(output).map_or(Ok(()), |folder| Rejection::forget(&folder))?;
        Ok(Attempt::Done)
    }
}
