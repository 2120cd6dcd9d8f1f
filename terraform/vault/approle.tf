# The AppRole mount, and hosts that are older than hosts-generated.tf or differ from it.

resource "vault_auth_backend" "approle" {
  type = "approle"
  path = var.approle_mount
}

import {
  for_each = setintersection(var.adopt_mounts, [var.approle_mount])
  to       = vault_auth_backend.approle
  id       = each.value
}

# A host by hand: a policy and a role beside the generated ones. `create-host` neither reads nor
# changes it, so its name must not be one that create-host made.
#
# resource "vault_policy" "backup01" {
#   name   = "host-backup01"
#   policy = <<-EOT
#     path "${var.kv_mount}/data/hosts/backup01/*" {
#       capabilities = ["read"]
#     }
#   EOT
# }
#
# resource "vault_approle_auth_backend_role" "backup01" {
#   backend        = vault_auth_backend.approle.path
#   role_name      = "backup01"
#   token_policies = [vault_policy.backup01.name]
#   token_type     = "batch"
#   token_ttl      = 3600
# }
