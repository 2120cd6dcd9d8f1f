//! Rotation: new versions are put in place as a transaction, with a way back.

mod carry_out;
mod commit;
mod group;
mod judge;
mod needs;
mod news;
mod outcome;
mod place;
mod plan;
mod rounds;
pub(crate) mod state;
mod survey;
mod tell;
mod transaction;
mod watch;

use cli::{Failure, note};
use delivery::{Declarations, Rejection, uptime};

use self::{group::Group, outcome::Outcomes, state::State, transaction::Transaction};
use crate::{Rotate, file, host, metrics};

/// Looks after NAME and all that is rotated at the same times.
pub(crate) fn run(arguments: &Rotate, declarations: &Declarations) -> Result<(), Failure> {
    let started = uptime();
    let settings = host::settings(&arguments.connection, &declarations.openbao)?;
    declarations.secret(&arguments.name)?;
    let group = Group::of(&arguments.name, declarations);
    let _locked = state::lock(&arguments.state_dir)?;
    let mut state = State::read(&arguments.state_dir);
    if !arguments.again
        && let Some(outcomes) = state.since(&group.key, started, &arguments.name)
    {
        note("another run has just looked after the same secrets");
        return outcomes.end(&arguments.name);
    }
    if arguments.again {
        forget_rejections(&group, declarations)?;
    }
    let began = uptime();
    let transaction = Transaction::new(declarations, &settings, arguments.settle, &group);
    let outcomes = transaction.run(&mut state.taken).unwrap_or_else(|failure| {
        let mut outcomes = Outcomes::default();
        outcomes.fail_all(group.names.iter().copied(), failure);
        outcomes
    });
    state.note(&group.key, began, &outcomes);
    finish(arguments, declarations, &mut state, &outcomes)
}

fn forget_rejections(group: &Group<'_>, declarations: &Declarations) -> Result<(), Failure> {
    for name in &group.names {
        if let Some(home) = declarations.secret(name)?.home() {
            Rejection::forget(&home)?;
        }
    }
    Ok(())
}

fn finish(
    arguments: &Rotate,
    declarations: &Declarations,
    state: &mut State,
    outcomes: &Outcomes,
) -> Result<(), Failure> {
    outcomes.tell_of_others(&arguments.name);
    state.forget_undeclared(declarations);
    let noted = state.write(&arguments.state_dir);
    let shown = file::write(
        &arguments.metrics(),
        metrics::page(declarations, state).as_str().as_bytes(),
        0o644,
    );
    outcomes.end(&arguments.name)?;
    noted.and(shown)
}
