//! The things that a run needs and does not have. One message asks for all of them.

use zts_cli::Failure;

use crate::host::HostName;

/// The missing things, with the ways to give them.
#[derive(Debug, Default)]
pub(crate) struct Missing(Vec<(String, String)>);

impl Missing {
    /// Adds a thing: the reason why it is needed, and the way to give it.
    pub(crate) fn add(&mut self, problem: impl Into<String>, way: impl Into<String>) {
        self.0.push((problem.into(), way.into()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the failure that asks for everything that is missing.
    pub(crate) fn check(self, name: &HostName) -> Result<(), Failure> {
        match self.0.as_slice() {
            [] => Ok(()),
            [(problem, way)] => Err(Failure::usage(problem).hint(way)),
            all => {
                let problems: Vec<&str> = all.iter().map(|(problem, _)| problem.as_str()).collect();
                let ways: Vec<String> = all
                    .iter()
                    .map(|(_, way)| {
                        format!("\n- {}", way.strip_prefix("give them: ").unwrap_or(way))
                    })
                    .collect();
                Err(Failure::usage(format_args!(
                    "`{name}` lacks {} things: {}",
                    all.len(),
                    problems.join("; ")
                ))
                .hint(format!("give all of them:{}", ways.concat())))
            }
        }
    }
}
