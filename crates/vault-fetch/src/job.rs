//! The parts of a fetch, from the command line.

use std::collections::{BTreeMap, BTreeSet};

use zts_cli::Failure;
use zts_delivery::{
    Cache, Contents, Error, Ownership, QueryError, Recipe, RetryPolicy, RuntimeDir, SecretIdentity,
    Session, SessionConfig, Template,
};
use zts_openbao::{AppRoleCredentials, Settings};
use zts_secure_fs::read_text_bounded;

use crate::Arguments;

/// The largest template, in bytes. Its file is one of a secret, and OpenBao takes no request of
/// more than 32 MiB.
const LARGEST_TEMPLATE: u64 = 32 << 20;

/// Returns the parts of the fetch that the flags name. Looks up the owners and groups.
pub(crate) fn recipe(
    arguments: &Arguments,
    contents: Contents,
    identity: &SecretIdentity,
) -> Result<Recipe, Error> {
    let cache = arguments.cache_dir.clone().map(|folder| {
        let mut cache = Cache::new(folder, identity.clone());
        cache.seal = arguments.seal_cache.into();
        cache.max_age = arguments.max_cache_age;
        cache
    });
    let Arguments {
        owner, group, mode, ..
    } = arguments;
    Ok(Recipe {
        ownership: Ownership::look_up(owner.as_deref(), group.as_deref(), *mode)?,
        contents: Contents {
            ownership: look_up_template_ownership(arguments)?,
            ..contents
        },
        cache,
    })
}

/// Opens a session with OpenBao. It ends sooner where there is a copy to fall back to.
pub(crate) fn open_session<'a>(
    arguments: &'a Arguments,
    settings: &Settings,
    credentials: &AppRoleCredentials,
    has_copy: bool,
) -> Result<Session<'a>, QueryError> {
    let config = SessionConfig {
        settings: settings.clone(),
        credentials: credentials.clone(),
        login: arguments.authentication.into(),
        approle_mount: arguments.approle_mount.as_str(),
        runtime_dir: RuntimeDir::choose(arguments.runtime_dir.as_deref(), Some(&arguments.output)),
    };
    let deadline = if has_copy {
        arguments.cached_deadline.min(arguments.deadline)
    } else {
        arguments.deadline
    };
    config.open(RetryPolicy {
        deadline,
        only_busy: has_copy,
    })
}

/// Reads the templates and checks all names, before OpenBao is queried.
pub(crate) fn read_contents(arguments: &Arguments) -> Result<Contents, Failure> {
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
        base64_keys: arguments.encoding.iter().cloned().collect(),
        templates,
        shared_templates: read_shared_templates(arguments)?,
        environment_file: arguments.environment_file.clone(),
        json_file: arguments.json_file.clone(),
        ownership: BTreeMap::new(),
        credential: arguments.as_credential.clone(),
    };
    contents.check()?;
    check_ownership(arguments, &contents)?;
    Ok(contents)
}

/// Parses the placeholders of templates over several secrets.
fn read_shared_templates(arguments: &Arguments) -> Result<BTreeMap<String, Template>, Error> {
    let mut placeholders = BTreeMap::<_, Vec<String>>::new();
    for (name, placeholder) in &arguments.template_key {
        placeholders
            .entry(name.clone())
            .or_default()
            .push(placeholder.clone());
    }
    Template::of_each(&placeholders)
}

/// Refuses an owner, group or mode of a template that does not exist, and two of the same template.
fn check_ownership(arguments: &Arguments, contents: &Contents) -> Result<(), Failure> {
    fn names<T>(given: &[(String, T)]) -> Vec<&str> {
        given.iter().map(|(name, _)| name.as_str()).collect()
    }
    for (flag, names) in [
        ("--template-owner", names(&arguments.template_owner)),
        ("--template-group", names(&arguments.template_group)),
        ("--template-mode", names(&arguments.template_mode)),
    ] {
        let mut seen = BTreeSet::new();
        for name in names {
            if !contents.templates.contains_key(name) {
                return Err(Failure::usage(format!(
                    "`{flag}` names `{name}`, and there is no such template"
                ))
                .hint(format!("`--template {name}=FILE` makes one")));
            }
            if !seen.insert(name) {
                return Err(Failure::usage(format!("`{flag}` names `{name}` twice")));
            }
        }
    }
    Ok(())
}

/// Looks up the ownership of the templates that have another one than the secret.
fn look_up_template_ownership(arguments: &Arguments) -> Result<BTreeMap<String, Ownership>, Error> {
    let mut names = BTreeSet::new();
    names.extend(arguments.template_owner.iter().map(|(name, _)| name));
    names.extend(arguments.template_group.iter().map(|(name, _)| name));
    names.extend(arguments.template_mode.iter().map(|(name, _)| name));
    let looked_up = names.into_iter().map(|name| {
        let owner = value_for(&arguments.template_owner, name).or(arguments.owner.as_ref());
        let group = value_for(&arguments.template_group, name).or(arguments.group.as_ref());
        let mode = value_for(&arguments.template_mode, name).unwrap_or(&arguments.mode);
        let (owner, group) = (owner.map(String::as_str), group.map(String::as_str));
        Ok((name.clone(), Ownership::look_up(owner, group, *mode)?))
    });
    looked_up.collect()
}

fn value_for<'a, T>(all: &'a [(String, T)], name: &str) -> Option<&'a T> {
    let mut values = all.iter();
    values.find(|(key, _)| key == name).map(|(_, value)| value)
}
