//! The host's rights to log in and to read its secrets.

mod findings;
mod identity;
mod role;
pub(super) mod token;

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use serde_json::Value;
use zts_delivery::DeclaredSource;
use zts_openbao::{Error, approle};

use self::{
    identity::Identity,
    role::{Role, RoleLookup},
    token::TokenPolicies,
};
use super::capability_client::{CapabilityClient, PolicyLookup};
use crate::{
    finding::Finding,
    host::Host,
    missing_rights::MissingRights,
    policy::{Policy, Rule},
    server::retry_rate_limited,
};

/// Checks that the host can log in and read its secrets; returns its own policy, too.
pub(super) fn check_rights(
    host: &Host,
    openbao: &mut CapabilityClient<'_>,
    missing_rights: &mut MissingRights,
) -> Result<(Vec<Finding>, Option<Rc<Policy>>), Error> {
    if host.declared.secrets.is_empty() {
        return Ok(Default::default());
    }
    let role = match role::read_role(host, openbao, missing_rights)? {
        RoleLookup::Role(role) => role,
        RoleLookup::Absent(finding) => return Ok((vec![*finding], None)),
        RoleLookup::Denied => return Ok(Default::default()),
    };
    let identity = identity::read_identity(host, openbao, missing_rights)?;
    let mut findings = check_login(host, &role, &identity, openbao, missing_rights)?;
    findings.extend(role::check_bound_cidrs(host, &role));
    let policies = token_policies(&role, identity);
    let mut rules = read_rules(host, &policies, openbao, missing_rights)?;
    findings.append(&mut rules.findings);
    if policies.names.contains("root") {
        findings.push(findings::root(host)); // no token with it can be created
    } else {
        findings.extend(check_paths(
            host,
            &policies,
            &rules,
            openbao,
            missing_rights,
        )?);
    }
    Ok((findings, rules.own))
}

/// Checks that a host with a role can log in.
fn check_login(
    host: &Host,
    role: &Role,
    identity: &Identity,
    openbao: &mut CapabilityClient<'_>,
    missing_rights: &mut MissingRights,
) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    if identity.is_disabled {
        findings.push(findings::disabled(host));
    }
    if role.get("bind_secret_id") != Some(&Value::Bool(false)) {
        let (mount, name) = (
            &host.declared.openbao.approle_mount,
            &host.declared.hostname,
        );
        let client = openbao.client(host)?;
        let answer = retry_rate_limited(|| approle::secret_id_accessors(client, mount, name));
        let accessors = missing_rights.record("list", answer)?;
        let expire = role.get("secret_id_ttl").and_then(Value::as_u64) > Some(0);
        match accessors {
            Some(accessors) if accessors.is_empty() => findings.push(findings::no_secret_id(host)),
            Some(accessors)
                if expire && all_expired(host, &accessors, openbao, missing_rights)? =>
            {
                findings.push(findings::expired(host));
            }
            _ => {}
        }
    }
    Ok(findings)
}

/// Returns whether all secret ids have expired: OpenBao goes on listing them.
fn all_expired(
    host: &Host,
    accessors: &[String],
    openbao: &mut CapabilityClient<'_>,
    missing_rights: &mut MissingRights,
) -> Result<bool, Error> {
    let (mount, name) = (
        &host.declared.openbao.approle_mount,
        &host.declared.hostname,
    );
    let client = openbao.client(host)?;
    for accessor in accessors {
        let answer = retry_rate_limited(|| approle::secret_id_info(client, mount, name, accessor));
        let Some(None) = missing_rights.record("update", answer)? else {
            return Ok(false); // valid, or unknown
        };
    }
    Ok(true)
}

/// Returns the policies of a token that the host gets at a login.
fn token_policies(role: &Role, identity: Identity) -> TokenPolicies {
    let listed = role.get("token_policies").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().filter_map(Value::as_str);
    let listed = listed.map(ToOwned::to_owned).chain(identity.policies);
    // a role has them as they were written, a token in lower case
    let mut names: BTreeSet<_> = listed.map(|name| name.trim().to_lowercase()).collect();
    let has_default = names.remove("default");
    let without = role.get("token_no_default_policy") == Some(&Value::Bool(true));
    TokenPolicies {
        names,
        with_default: has_default || !without,
    }
}

/// The rules of the policies that need more than a query of capabilities.
#[derive(Default)]
struct SpecialRules {
    findings: Vec<Finding>,
    /// The host's own policy.
    own: Option<Rc<Policy>>,
    /// The rules that depend on the identity that logs in.
    templates: Vec<Rule>,
    /// The rules that do not allow all reads.
    conditions: Vec<Rule>,
    /// True if a policy that could not be parsed may have more of them.
    are_incomplete: bool,
}

impl SpecialRules {
    /// Returns whether only a test read shows that the host may read this path.
    fn need_test_read(&self, path: &str) -> bool {
        let mut conditions = self.conditions.iter();
        self.are_incomplete || conditions.any(|rule| rule.pattern.matches(path))
    }
}

/// Reads the policies, and returns their special rules.
fn read_rules(
    host: &Host,
    policies: &TokenPolicies,
    openbao: &mut CapabilityClient<'_>,
    missing_rights: &mut MissingRights,
) -> Result<SpecialRules, Error> {
    let mut special = SpecialRules::default();
    for name in policies.all().filter(|name| *name != "root") {
        match openbao.policy(host, name, missing_rights)? {
            Some(PolicyLookup::Parsed(policy)) => {
                let rules = policy.rules.iter();
                let templates = rules.clone().filter(|rule| rule.pattern.is_templated());
                special.templates.extend(templates.cloned());
                let conditions = rules.filter(|rule| rule.has_conditions);
                special.conditions.extend(conditions.cloned());
                if name == host.policy() {
                    special.own = Some(policy);
                }
            }
            Some(PolicyLookup::Invalid(reason)) => {
                special.are_incomplete = true;
                special
                    .findings
                    .push(findings::invalid_policy(name, &reason));
            }
            Some(PolicyLookup::Absent) => special.findings.push(findings::no_policy(host, name)),
            None => {}
        }
    }
    Ok(special)
}

/// Checks that the token role gives tokens with the host's policies. Without the right to read it,
/// that is recorded already.
fn check_token_role(
    host: &Host,
    policies: &TokenPolicies,
    openbao: &CapabilityClient<'_>,
) -> Option<Finding> {
    let token_role = openbao.token_role(host)?;
    let others = policies.not_allowed_by(token_role);
    (!others.is_empty()).then(|| findings::policies_not_allowed(host, token_role, &others))
}

/// Checks that the host may read its secrets' paths, and list their folders.
fn check_paths(
    host: &Host,
    policies: &TokenPolicies,
    rules: &SpecialRules,
    openbao: &mut CapabilityClient<'_>,
    missing_rights: &mut MissingRights,
) -> Result<Vec<Finding>, Error> {
    if let Some(finding) = check_token_role(host, policies, openbao) {
        return Ok(vec![finding]);
    }
    let uses = uses_of(host);
    let lists = folders_to_list(host);
    let metadata = lists.values().flatten();
    let of_secrets = uses.keys().map(|(path, _)| path);
    let paths = of_secrets.chain(lists.keys()).chain(metadata);
    let paths: Vec<_> = paths.map(String::as_str).collect();
    let client = openbao.client(host)?;
    let answer = token::capabilities(client, policies, &paths);
    let Some(capabilities) = missing_rights.record("update", answer)? else {
        return Ok(Vec::new());
    };
    let allowed = Allowed {
        capabilities,
        rules,
    };
    let names: Vec<_> = policies.all().collect();
    let mut findings = Vec::new();
    for ((path, right), secrets) in &uses {
        let finding = match allowed.may(path, right) {
            Ok(true) if !rules.need_test_read(path) || !is_in_kv(host, path) => continue,
            Ok(true) => match token::try_read(client, policies, path) {
                Err(Error::Denied { .. }) => findings::conditional(path, &names),
                Err(error @ Error::Unavailable { .. }) => return Err(error),
                _ => continue,
            },
            Ok(false) => findings::no_right(host, path, right, &names),
            Err(rule) => findings::depends_on_template(path, right, rule),
        };
        findings.extend(secrets.iter().map(|name| finding.clone().for_secret(name)));
    }
    findings.extend(check_lists(&lists, &allowed));
    Ok(findings)
}

/// Checks that the host may list the folders of its secrets.
fn check_lists(lists: &BTreeMap<String, BTreeSet<String>>, allowed: &Allowed<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, metadata) in lists {
        match allowed.may(path, "list") {
            Ok(true) => {}
            // a grant of single secrets: rotation reads the metadata of each
            Ok(false)
                if metadata
                    .iter()
                    .all(|path| allowed.may(path, "read") == Ok(true)) => {}
            Ok(false) => findings.push(findings::no_list(path)),
            Err(rule) => findings.push(findings::depends_on_template(path, "list", rule)),
        }
    }
    findings
}

/// The capabilities of a host's token, and the rules that need more than a look at them.
struct Allowed<'a> {
    capabilities: BTreeMap<String, Vec<String>>,
    rules: &'a SpecialRules,
}

impl Allowed<'_> {
    /// Returns whether a path may be used in a way; the rule with a template that decides it, if
    /// there is one.
    fn may(&self, path: &str, right: &str) -> Result<bool, &Rule> {
        let mut held = self.capabilities.get(path).into_iter().flatten();
        let allowed = held.any(|held| held == right);
        // with the template filled in, such a rule may take precedence
        let mut others = self
            .rules
            .templates
            .iter()
            .filter(|rule| rule.pattern.matches(path) && rule.grants != allowed);
        match others.next() {
            Some(rule) => Err(rule),
            None => Ok(allowed),
        }
    }
}

/// A use of an API path by a host: a path, and the right that it needs.
type Use = (String, &'static str);

/// Returns how the host gets its secrets, with the names of these.
fn uses_of(host: &Host) -> BTreeMap<Use, Vec<&str>> {
    let mut uses = BTreeMap::<_, Vec<_>>::new();
    for (name, secret) in host.secrets() {
        let path = secret.secret_path.clone();
        let needed = match secret.source {
            DeclaredSource::Kv => (format!("{}/data/{path}", host.kv_mount()), "read"),
            DeclaredSource::Read | DeclaredSource::DatabaseStatic => (path, "read"),
            DeclaredSource::Pki(_) | DeclaredSource::Ssh(_) => (path, "update"),
        };
        uses.entry(needed).or_default().push(name);
    }
    uses
}

/// Returns whether the path of a use is in the KV engine. A read of another engine may have an
/// effect, so it is not tried.
fn is_in_kv(host: &Host, path: &str) -> bool {
    let mut secrets = host.kv_secrets();
    let data = path.strip_prefix(&format!("{}/data/", host.kv_mount()));
    secrets.any(|(_, secret)| data == Some(secret.secret_path.as_str()))
}

/// Returns the API paths with which rotation queries the versions of all secrets in a folder, each
/// with those of the single secrets' metadata.
fn folders_to_list(host: &Host) -> BTreeMap<String, BTreeSet<String>> {
    let mut folders = BTreeMap::<_, BTreeSet<_>>::new();
    let secrets = host.kv_secrets();
    for (_, secret) in secrets.filter(|(_, secret)| secret.rotation.is_some()) {
        let (mount, path) = (host.kv_mount(), &secret.secret_path);
        let folder = match path.rsplit_once('/') {
            Some((folder, _)) => format!("{mount}/detailed-metadata/{folder}/"),
            None => format!("{mount}/detailed-metadata/"),
        };
        let metadata = format!("{mount}/metadata/{path}");
        folders.entry(folder).or_default().insert(metadata);
    }
    folders
}
