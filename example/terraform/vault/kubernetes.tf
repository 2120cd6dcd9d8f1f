# Workloads on Kubernetes, each cluster with an auth method of its own: docs/how-to/kubernetes.md.
# Nothing of this is made as long as `kubernetes_clusters` is empty.
#
# A service account called `openbao` logs in, with a token that is for OpenBao alone and lasts
# minutes. It reads the folder of its own namespace: <kv_mount>/<cluster>/<namespace>/*.

locals {
  kubernetes_audience        = "openbao"
  kubernetes_service_account = "openbao"
}

resource "vault_auth_backend" "kubernetes" {
  for_each = var.kubernetes_clusters

  type = "kubernetes"
  path = each.key
}

# OpenBao asks the API server about each token (TokenReview), so one of a deleted account is refused
# ten seconds later, which is how long the API server remembers a good one. It asks with a token of
# its own (kubernetes/base/token-reviewer.yaml), which may do nothing else.
resource "vault_kubernetes_auth_backend_config" "kubernetes" {
  for_each = var.kubernetes_clusters

  backend            = vault_auth_backend.kubernetes[each.key].path
  kubernetes_host    = each.value.host
  kubernetes_ca_cert = each.value.ca_certificate

  # OpenBao does not run in that cluster: a CA or token that lay in its file system would be
  # another's.
  disable_local_ca_jwt = true
  # The API server looks at the issuer.
  disable_iss_validation = true

  # Never in the state. OpenBao forgets the token whenever its neighbours here are written, so a
  # change of theirs counts as a new version: give the token with each apply that changes a cluster.
  # Other applies do without.
  token_reviewer_jwt_wo = lookup(var.kubernetes_reviewer_tokens, each.key, "")
  token_reviewer_jwt_wo_version = parseint(substr(sha256(join(" ", [
    each.value.host, each.value.ca_certificate, each.value.reviewer_token_version
  ])), 0, 7), 16)
}

resource "vault_policy" "kubernetes" {
  for_each = var.kubernetes_clusters

  name   = "kubernetes-${each.key}"
  policy = <<-EOT
    path "${var.kv_mount}/data/${each.key}/{{identity.entity.aliases.${vault_auth_backend.kubernetes[each.key].accessor}.metadata.service_account_namespace}}/*" {
      capabilities = ["read"]
    }
    # External Secrets looks its token up before it lets go of it.
    path "auth/token/lookup-self" {
      capabilities = ["read"]
    }
  EOT
}

resource "vault_kubernetes_auth_backend_role" "kubernetes" {
  for_each = var.kubernetes_clusters

  backend                          = vault_auth_backend.kubernetes[each.key].path
  role_name                        = "workloads"
  audience                         = local.kubernetes_audience
  bound_service_account_names      = [local.kubernetes_service_account]
  bound_service_account_namespaces = each.value.namespaces
  token_policies                   = [vault_policy.kubernetes[each.key].name]
  token_no_default_policy          = true
  token_ttl                        = 300
  token_max_ttl                    = 300
  token_type                       = "batch" # nothing to store, nothing to revoke
}

# For the people who write these secrets, beside what else they may do: operator.tf is about hosts.
resource "vault_policy" "kubernetes_writer" {
  for_each = var.kubernetes_clusters

  name   = "kubernetes-${each.key}-writer"
  policy = <<-EOT
    path "${var.kv_mount}/data/${each.key}/*" {
      capabilities = ["create", "read", "update", "patch"]
    }
    path "${var.kv_mount}/undelete/${each.key}/*" {
      capabilities = ["update"]
    }
    path "${var.kv_mount}/metadata/${each.key}/*" {
      capabilities = ["list", "read"]
    }
  EOT
}
