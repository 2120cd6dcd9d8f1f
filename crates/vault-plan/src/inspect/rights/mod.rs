//! Whether the host can log in, and whether it may read its secrets then.

mod identity;
pub(super) mod token;
pub(super) mod told;

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use openbao::{Error, approle};
use serde_json::Value;

use self::{identity::Identity, token::Policies};
use super::asker::{Asker, Held};
use crate::{
    denied::Denied,
    finding::Finding,
    host::Host,
    policy::{Policy, Rule},
    server::{patiently, says_unmounted},
};

/// A role as OpenBao gives it.
type Role = BTreeMap<String, Value>;

/// What keeps the host from its secrets, and its own policy where it has one.
pub(super) fn findings(
    host: &Host,
    asker: &mut Asker<'_>,
    denied: &mut Denied,
) -> Result<(Vec<Finding>, Option<Rc<Policy>>), Error> {
    if host.declared.secrets.is_empty() {
        return Ok(Default::default());
    }
    let Some(role) = role(host, asker, denied)? else {
        return Ok(Default::default());
    };
    let role = match role {
        Ok(role) => role,
        Err(finding) => return Ok((vec![finding], None)),
    };
    let identity = identity::of(host, asker, denied)?;
    let mut findings = logins(host, &role, &identity, asker, denied)?;
    let policies = policies(&role, identity);
    let texts = texts(host, &policies, asker, denied)?;
    findings.extend(texts.findings);
    if policies.names.contains("root") {
        findings.push(told::root(host)); // no token can be made to ask
    } else {
        findings.extend(of_paths(host, &policies, &texts.templates, asker, denied)?);
    }
    Ok((findings, texts.own))
}

/// The host's role, or that there is none; `None` where the operator may not read it.
fn role(
    host: &Host,
    asker: &mut Asker<'_>,
    denied: &mut Denied,
) -> Result<Option<Result<Role, Finding>>, Error> {
    let (mount, name) = (
        &host.declared.openbao.approle_mount,
        &host.declared.hostname,
    );
    let client = asker.client(host)?;
    match patiently(|| approle::read_role(client, mount, name)) {
        Err(Error::NotFound { refusal, .. }) => Ok(Some(Err(if says_unmounted(&refusal) {
            told::no_mount(host)
        } else {
            told::no_role(host)
        }))),
        answer => Ok(denied.note("read", answer)?.map(Ok)),
    }
}

/// What keeps the host from logging in although it has a role.
fn logins(
    host: &Host,
    role: &Role,
    identity: &Identity,
    asker: &mut Asker<'_>,
    denied: &mut Denied,
) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    if identity.is_disabled {
        findings.push(told::disabled(host));
    }
    if role.get("bind_secret_id") != Some(&Value::Bool(false)) {
        let (mount, name) = (
            &host.declared.openbao.approle_mount,
            &host.declared.hostname,
        );
        let client = asker.client(host)?;
        let answer = patiently(|| approle::secret_id_accessors(client, mount, name));
        if denied
            .note("list", answer)?
            .is_some_and(|accessors| accessors.is_empty())
        {
            findings.push(told::no_secret_id(host));
        }
    }
    Ok(findings)
}

/// The policies of whoever logs in with the role.
fn policies(role: &Role, identity: Identity) -> Policies {
    let listed = role.get("token_policies").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().filter_map(Value::as_str);
    let listed = listed.map(ToOwned::to_owned);
    let mut names: BTreeSet<_> = listed.chain(identity.policies).collect();
    let has_default = names.remove("default");
    let without = role.get("token_no_default_policy") == Some(&Value::Bool(true));
    Policies {
        names,
        with_default: has_default || !without,
    }
}

/// What the policies' texts say.
#[derive(Default)]
struct Texts {
    findings: Vec<Finding>,
    /// The host's own policy.
    own: Option<Rc<Policy>>,
    /// Rules that depend on who logs in.
    templates: Vec<Rule>,
}

fn texts(
    host: &Host,
    policies: &Policies,
    asker: &mut Asker<'_>,
    denied: &mut Denied,
) -> Result<Texts, Error> {
    let mut texts = Texts::default();
    for name in policies.all().filter(|name| *name != "root") {
        match asker.policy(host, name, denied)? {
            Some(Held::Policy(policy)) => {
                let rules = policy.rules.iter();
                let templates = rules.filter(|rule| rule.pattern.is_templated());
                texts.templates.extend(templates.cloned());
                if name == host.policy() {
                    texts.own = Some(policy);
                }
            }
            Some(Held::NotUnderstood(reason)) => {
                texts.findings.push(told::not_understood(name, &reason));
            }
            Some(Held::Absent) => texts.findings.push(told::no_policy(host, name)),
            None => {}
        }
    }
    Ok(texts)
}

/// What the host may not do with its secrets' paths.
fn of_paths(
    host: &Host,
    policies: &Policies,
    templates: &[Rule],
    asker: &mut Asker<'_>,
    denied: &mut Denied,
) -> Result<Vec<Finding>, Error> {
    // where it may not be read, that is noted
    if let Some(token_role) = asker.token_role(host) {
        let beyond = policies.beyond(token_role);
        if !beyond.is_empty() {
            return Ok(vec![told::beyond(host, token_role, &beyond)]);
        }
    }
    let reads = reads(host);
    let lists = lists(host);
    let paths: Vec<_> = reads.keys().chain(&lists).map(String::as_str).collect();
    let client = asker.client(host)?;
    let answer = token::capabilities(client, policies, &paths);
    let Some(capabilities) = denied.note("update", answer)? else {
        return Ok(Vec::new());
    };
    let may = |path: &str, right: &str| {
        let mut held = capabilities.get(path).into_iter().flatten();
        let allowed = held.any(|held| held == right);
        // filled in, such a rule may come before the others, or not
        let mut others = templates
            .iter()
            .filter(|rule| rule.pattern.matches(path) && rule.grants != allowed);
        match others.next() {
            Some(rule) => Err(rule),
            None => Ok(allowed),
        }
    };
    let names: Vec<_> = policies.all().collect();
    let mut findings = Vec::new();
    for (path, secrets) in &reads {
        let finding = match may(path, "read") {
            Ok(true) => continue,
            Ok(false) => told::no_read(path, &names),
            Err(rule) => told::depends(path, "read", rule),
        };
        findings.extend(secrets.iter().map(|name| finding.clone().of(name)));
    }
    for path in &lists {
        match may(path, "list") {
            Ok(true) => {}
            Ok(false) => findings.push(told::no_list(path)),
            Err(rule) => findings.push(told::depends(path, "list", rule)),
        }
    }
    Ok(findings)
}

/// The paths that the host reads, with the names of the secrets there.
fn reads(host: &Host) -> BTreeMap<String, Vec<&str>> {
    let mut reads = BTreeMap::<_, Vec<_>>::new();
    for (name, secret) in host.secrets() {
        let path = format!("{}/data/{}", host.kv_mount(), secret.secret_path);
        reads.entry(path).or_default().push(name);
    }
    reads
}

/// Rotation asks for the versions of all secrets in a folder, where it may.
fn lists(host: &Host) -> BTreeSet<String> {
    let rotated = host
        .secrets()
        .filter(|(_, secret)| secret.rotation.is_some());
    rotated
        .map(|(_, secret)| match secret.secret_path.rsplit_once('/') {
            Some((folder, _)) => format!("{}/detailed-metadata/{folder}/", host.kv_mount()),
            None => format!("{}/detailed-metadata/", host.kv_mount()),
        })
        .collect()
}
