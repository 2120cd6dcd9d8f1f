# The AppRole mount, and hosts that are older than hosts-generated.tf or differ from it.

resource "vault_auth_backend" "approle" {
  type = "approle"
  path = var.approle_mount
}

# No refused login locks a role: a lock of 15 minutes would let anybody who knows a host's role id
# stop that host, and a secret id is a random number that nobody guesses. The provider's resource of
# the mount has no such setting, and a mount can only be tuned after it was made. Read through
# `sys/mounts`, which takes no `sudo`.
resource "vault_generic_endpoint" "approle_without_lockout" {
  path                 = "sys/mounts/auth/${vault_auth_backend.approle.path}/tune"
  disable_delete       = true
  ignore_absent_fields = true
  data_json            = jsonencode({ user_lockout_config = { lockout_disable = true } })
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
