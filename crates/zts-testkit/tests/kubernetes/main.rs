//! `terraform/vault/kubernetes.tf` and `kubernetes/`, on a real API server and a real OpenBao.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod declared;
mod forged;
mod login;
mod manifests;
mod site;
