//! The page about Kubernetes, on a real API server beside the cluster of OpenBao.

use std::{fs, path::Path};

use zts_testkit::Kubernetes;

use crate::{
    declared::{Cluster, Declared},
    site::Site,
};

/// Does what precedes the page's first command: installs the External Secrets Operator's schemas,
/// and creates what kubernetes.tf declares.
pub(crate) fn set_up(site: &mut Site, kubernetes: &Kubernetes, schemas: &Path) {
    kubernetes.apply(&fs::read_to_string(schemas).expect("the schemas are read"));
    let token = site.node("bao1").root_token().to_owned();
    site.log_in(&token);
    let kubeconfig = kubernetes.kubeconfig();
    site.set("KUBECONFIG", kubeconfig.to_str().expect("a path in UTF-8"));
    let kubectl = zts_testkit::find_program("kubectl").expect("there is a `kubectl`");
    site.add_folder(kubectl.parent().expect("`kubectl` is in a folder"));
    site.check_out("kubernetes");

    kubernetes.add_namespace("openbao");
    kubernetes.add_service_account("openbao", "token-reviewer");
    let cluster = Cluster {
        name: "kubernetes",
        host: kubernetes.address().to_owned(),
        ca_certificate: fs::read_to_string(kubernetes.ca_certificate()).expect("a CA"),
        namespaces: vec!["web"],
        reviewer_token: Some(kubernetes.create_token("openbao", "token-reviewer", None)),
    };
    Declared::new(&cluster).make(site.node("bao1"));
}
