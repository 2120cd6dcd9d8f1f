//! Renders templates of several secrets from their files on this host.

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

/// Returns the names of the templates whose files are not in place.
pub(crate) fn find_missing(declarations: &Declarations) -> Vec<&str> {
    let templates = declarations.templates.iter();
    let missing = templates.filter(|(_, template)| !template.path().exists());
    missing.map(|(name, _)| name.as_str()).collect()
}
