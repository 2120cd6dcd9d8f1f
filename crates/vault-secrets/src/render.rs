//! Renders templates of several secrets from their files on this host.

use std::path::PathBuf;

use serde::Serialize;
use zts_cli::{Failure, note};
use zts_delivery::{Declarations, Error, SharedTemplate};

/// Renders the template with the name `name`.
pub(crate) fn run(name: &str, declarations: &Declarations) -> Result<(), Failure> {
    let template = SharedTemplate::declared(declarations, name)?;
    if template.render().map_err(|error| failure(name, error))? {
        let path = declarations.template(name)?.path();
        note(format_args!("`{}` was rendered", path.display()));
    }
    Ok(())
}

/// Returns the failure of a template, with its name.
pub(crate) fn failure(name: &str, error: Error) -> Failure {
    let has_name = matches!(
        error,
        Error::Rendering { .. } | Error::NotOnHost { .. } | Error::Template { .. }
    );
    let failure = Failure::from(error);
    if has_name {
        return failure;
    }
    failure.context(format!("the template `{name}`"))
}

/// Returns the unit that renders a template.
pub(crate) fn unit(name: &str) -> String {
    format!("vault-template-{name}.service")
}

/// The state of a template.
#[derive(Serialize)]
pub(crate) struct TemplateState<'a> {
    pub(crate) name: &'a str,
    pub(crate) file: PathBuf,
    /// True if the file is as it would be rendered now.
    pub(crate) in_place: bool,
    /// The reason why it cannot be rendered.
    pub(crate) failure: Option<String>,
}

/// Returns the state of each declared template, in the order of their names.
pub(crate) fn states(declarations: &Declarations) -> Vec<TemplateState<'_>> {
    let states = declarations.templates.iter().map(|(name, declared)| {
        let template = SharedTemplate::declared(declarations, name);
        let in_place = template.and_then(|template| template.is_in_place());
        TemplateState {
            name,
            file: declared.path(),
            in_place: *in_place.as_ref().unwrap_or(&false),
            failure: in_place.err().map(|error| error.to_string()),
        }
    });
    states.collect()
}
