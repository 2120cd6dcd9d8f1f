# The AppRoles for snapshots of the cluster, and for drills: docs/how-to/snapshots.md. They are two,
# because the one may write the secret that the other reads. Their secret ids are made by hand, as
# there: OpenTofu's state would hold them in clear.

locals {
  snapshot_canary = "${var.kv_mount}/data/vault-snapshot/canary"
  snapshot_policies = {
    snapshots       = <<-EOT
      # The snapshot itself: encrypted with the cluster's keys, it is of use to who has those.
      path "sys/storage/raft/snapshot" {
        capabilities = ["read"]
      }
      # The secret that is written just before each.
      path "${local.snapshot_canary}" {
        capabilities = ["create", "update"]
      }
    EOT
    snapshot-drills = <<-EOT
      # What a drill reads from the snapshot that it restored.
      path "${local.snapshot_canary}" {
        capabilities = ["read"]
      }
    EOT
  }
}

resource "vault_policy" "snapshots" {
  for_each = local.snapshot_policies
  name     = each.key
  policy   = each.value
}

resource "vault_approle_auth_backend_role" "snapshots" {
  for_each                = local.snapshot_policies
  backend                 = vault_auth_backend.approle.path
  role_name               = each.key
  token_policies          = [each.key]
  token_no_default_policy = true
  token_type              = "batch"
  token_ttl               = 600
}
