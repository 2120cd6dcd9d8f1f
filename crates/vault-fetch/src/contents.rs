//! What the command line says is made of the secret.

use std::collections::BTreeMap;

use cli::Failure;
use delivery::{Contents, Template};
use secure_fs::read_text_bounded;

use crate::Arguments;

/// The largest template that is read, in bytes: what is made of it is one file of a secret, and OpenBao takes
/// no request of more than 32 MiB.
const LARGEST_TEMPLATE: u64 = 32 << 20;

/// Reads the templates, and checks all names before anybody is asked for a secret.
pub(crate) fn of(arguments: &Arguments) -> Result<Contents, Failure> {
    let mut templates = BTreeMap::new();
    for (name, file) in &arguments.template {
        let text = read_text_bounded(file, LARGEST_TEMPLATE).map_err(|cause| {
            Failure::usage(format!(
                "the template `{}` could not be read: {cause}",
                file.display()
            ))
        })?;
        let template = Template::parse(&file.display().to_string(), &text)?;
        if templates.insert(name.clone(), template).is_some() {
            return Err(Failure::usage(format!(
                "there are two templates for `{name}`"
            )));
        }
    }
    let contents = Contents {
        required_keys: arguments.require.clone(),
        templates,
        environment_file: arguments.environment_file.clone(),
        credential: arguments.as_credential.clone(),
    };
    contents.check()?;
    Ok(contents)
}
