//! Removal of places that are removed from the declarations during a fetch.

use std::path::{Path, PathBuf};

use zts_cli::{Failure, note, warn};
use zts_delivery::{Cache, Declarations, Error, remove_output};

use crate::Arguments;

/// The places of a fetch, and the declarations when it began. These are parsed only if a switch
/// replaces them during the fetch.
pub(crate) struct FetchPlaces {
    declarations: PathBuf,
    before: Option<Vec<u8>>,
    output: PathBuf,
    cache: Option<PathBuf>,
}

impl FetchPlaces {
    /// Notes the places of a fetch that begins.
    pub(crate) fn begin(arguments: &Arguments) -> Self {
        Self {
            declarations: arguments.declarations.clone(),
            before: Declarations::read_text(&arguments.declarations)
                .ok()
                .flatten(),
            output: arguments.output.clone(),
            cache: arguments.cache_dir.clone(),
        }
    }

    /// Removes the places that were declared and no longer are, and returns the result of the run.
    /// A switch may have removed them before this fetch wrote them.
    ///
    /// # Errors
    /// `fetched`, unless the output directory was removed, and a place that could not be removed.
    pub(crate) fn remove_undeclared(&self, fetched: Result<(), Failure>) -> Result<(), Failure> {
        let Some((before, now)) = self.replaced_declarations() else {
            return fetched;
        };
        let is_undeclared = |place: &&PathBuf| before.use_place(place) && !now.use_place(place);
        let output = Some(&self.output).filter(is_undeclared);
        let cache = self.cache.as_ref().filter(is_undeclared);
        let removed = [
            output.is_none_or(|output| report_removal(output, remove_output(output))),
            cache.is_none_or(|cache| report_removal(cache, Cache::remove_folder(cache))),
        ];
        if removed.contains(&false) {
            return fetched.and(Err(Failure::failed(
                "not everything that is no longer declared could be removed",
            )
            .hint("remove the folders that are named above, or what is wrong with them")));
        }
        if let (Some(_), Err(failure)) = (output, &fetched) {
            warn(failure.message()); // of a secret that no service needs any more
            return Ok(());
        }
        fetched
    }

    /// Returns the declarations at the beginning of the fetch and those of now, if they differ.
    fn replaced_declarations(&self) -> Option<(Declarations, Declarations)> {
        let before = self.before.as_ref()?;
        let parse = |text: &[u8]| Declarations::parse(&self.declarations, text).ok();
        let Some(now) = Declarations::read_text(&self.declarations).ok()? else {
            let before = parse(before)?;
            let mut now = before.clone();
            now.secrets.clear();
            return Some((before, now));
        };
        if *before == now {
            return None;
        }
        Some((parse(before)?, parse(&now)?))
    }
}

/// Reports a removal, and returns whether it succeeded.
fn report_removal(place: &Path, removed: Result<bool, Error>) -> bool {
    let path = place.display();
    match removed {
        Ok(true) => note(format_args!(
            "`{path}` is no longer declared, and was removed"
        )),
        Ok(false) => {}
        Err(error) => {
            warn(format_args!(
                "`{path}` is no longer declared, and could not be removed: {error}"
            ));
            return false;
        }
    }
    true
}
