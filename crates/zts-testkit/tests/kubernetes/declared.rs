//! The resources of `terraform/vault/kubernetes.tf` as requests to OpenBao.
//!
//! The provider of these resources is not available everywhere. Its attributes have the names of
//! the API's parameters, so the file's own expressions are evaluated and their values are sent.

use std::{fs, path::PathBuf};

use hcl::{
    Value,
    eval::{Context, Evaluate, FuncArgs, FuncDef, ParamType},
    structure::{Block, Body},
};
use serde_json::Value as Json;
use zts_testkit::Server;

/// The name that all but one resource of that file have.
const MAIN: &str = "kubernetes";

/// The cluster as an operator would declare it, and what OpenBao asks its API server with.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) name: &'static str,
    pub(crate) host: String,
    pub(crate) ca_certificate: String,
    pub(crate) namespaces: Vec<&'static str>,
    pub(crate) reviewer_token: Option<String>,
}

/// The file, and what its expressions mean for one cluster.
pub(crate) struct Declared {
    body: Body,
    context: Context<'static>,
}

impl Declared {
    pub(crate) fn new(cluster: &Cluster) -> Self {
        let body = parse("kubernetes.tf");
        let mut context = Context::new();
        let lookup = FuncDef::builder()
            .params([ParamType::Any, ParamType::String, ParamType::Any])
            .build(lookup);
        context.declare_func("lookup", lookup);
        let entry = hcl::value!({
            "host" = (cluster.host.clone())
            "ca_certificate" = (cluster.ca_certificate.clone())
            "namespaces" = (cluster.namespaces.clone())
            "reviewer_token_version" = 1
        });
        let mut tokens = hcl::Map::new();
        if let Some(token) = &cluster.reviewer_token {
            tokens.insert(cluster.name.to_owned(), Value::from(token.clone()));
        }
        let variables = hcl::value!({
            "kv_mount" = (default("kv_mount"))
            "kubernetes_clusters" = { (cluster.name) = (entry.clone()) }
            "kubernetes_reviewer_tokens" = (Value::Object(tokens))
        });
        context.declare_var("var", variables);
        context.declare_var(
            "each",
            hcl::value!({ "key" = (cluster.name), "value" = (entry) }),
        );
        let mut declared = Self { body, context };
        let locals = declared.attributes(declared.block("locals", &[]), &[]);
        declared.context.declare_var("local", locals);
        declared
    }

    /// Makes in OpenBao what the file declares, as the provider would.
    pub(crate) fn make(mut self, server: &Server) {
        let method = self.resource("vault_auth_backend", MAIN, &[]);
        let mount = text(&method, "path");
        if server.read("sys/auth").unwrap_or_default()[format!("{mount}/")].is_null() {
            server.write(&format!("sys/auth/{mount}"), &method);
        }
        let mounts = server.read("sys/auth").unwrap_or_default();
        let accessor = &mounts[format!("{mount}/")]["accessor"];
        let accessor = accessor.as_str().expect("an auth method has an accessor");
        self.made(
            "vault_auth_backend",
            &mount,
            &[("path", &mount), ("accessor", accessor)],
        );

        let writer = self.resource("vault_policy", "kubernetes_writer", &[]);
        server.write(
            &format!("sys/policies/acl/{}", text(&writer, "name")),
            &writer,
        );
        let policy = self.resource("vault_policy", MAIN, &[]);
        let name = text(&policy, "name");
        server.write(&format!("sys/policies/acl/{name}"), &policy);
        self.made("vault_policy", &mount, &[("name", &name)]);

        let mut config = self.resource(
            "vault_kubernetes_auth_backend_config",
            MAIN,
            &["backend", "token_reviewer_jwt_wo_version"],
        );
        // The provider's name of a parameter that its state does not hold.
        if let Some(token) = config
            .as_object_mut()
            .and_then(|map| map.remove("token_reviewer_jwt_wo"))
        {
            config["token_reviewer_jwt"] = token;
        }
        server.write(&format!("auth/{mount}/config"), &config);

        let role = self.resource("vault_kubernetes_auth_backend_role", MAIN, &["backend"]);
        server.write(
            &format!("auth/{mount}/role/{}", text(&role, "role_name")),
            &role,
        );
    }

    /// A resource that is there now: what others refer to.
    fn made(&mut self, kind: &str, key: &str, attributes: &[(&str, &str)]) {
        let one: Value = attributes
            .iter()
            .map(|&(name, value)| (name, value))
            .collect::<hcl::Map<_, _>>()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        self.context
            .declare_var(kind, hcl::value!({ "kubernetes" = { (key) = (one) } }));
    }

    fn resource(&self, kind: &str, name: &str, without: &[&str]) -> Json {
        let block = self.block("resource", &[kind, name]);
        let without = [without, &["for_each"]].concat();
        serde_json::to_value(self.attributes(block, &without)).expect("the values are JSON's")
    }

    fn block(&self, identifier: &str, labels: &[&str]) -> &Block {
        let is_it = |block: &&Block| {
            let named = block
                .labels()
                .iter()
                .map(hcl::structure::BlockLabel::as_str);
            block.identifier() == identifier && named.eq(labels.iter().copied())
        };
        let found = self.body.blocks().find(is_it);
        found.unwrap_or_else(|| panic!("kubernetes.tf has no `{identifier} {labels:?}`"))
    }

    fn attributes(&self, block: &Block, without: &[&str]) -> Value {
        let attributes = block.body().attributes();
        let wanted = attributes.filter(|attribute| !without.contains(&attribute.key()));
        let valued = wanted.map(|attribute| {
            let value = attribute.expr().evaluate(&self.context);
            let value = value.unwrap_or_else(|error| panic!("`{}`: {error}", attribute.key()));
            (attribute.key().to_owned(), value)
        });
        valued.filter(|(_, value)| !value.is_null()).collect()
    }
}

fn parse(name: &str) -> Body {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../example/terraform/vault");
    let text = fs::read_to_string(folder.join(name)).expect("the file is read");
    hcl::parse(&text).expect("the file is HCL")
}

/// The default of a variable.
fn default(variable: &str) -> Value {
    let body = parse("variables.tf");
    let block = body.blocks().find(|block| {
        block
            .labels()
            .iter()
            .any(|label| label.as_str() == variable)
    });
    let block = block.expect("the variable is declared");
    let mut attributes = block.body().attributes();
    let default = attributes.find(|attribute| attribute.key() == "default");
    let default = default.expect("it has a default").expr().clone();
    default
        .evaluate(&Context::new())
        .expect("a default is a literal")
}

/// OpenTofu's function of that name.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the evaluator's form of a function"
)]
fn lookup(arguments: FuncArgs) -> Result<Value, String> {
    let map = arguments[0].as_object().ok_or("no map")?;
    let key = arguments[1].as_str().ok_or("no key")?;
    Ok(map.get(key).unwrap_or(&arguments[2]).clone())
}

fn text(resource: &Json, attribute: &str) -> String {
    let value = resource[attribute].as_str();
    value
        .unwrap_or_else(|| panic!("no `{attribute}`"))
        .to_owned()
}
