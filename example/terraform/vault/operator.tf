# The operator of the fleet, without the root token: docs/how-to/operator.md, which shows this
# policy with the default names of the mounts. People and their passwords are made by hand, as
# there: OpenTofu's state would hold them in clear.

resource "vault_auth_backend" "userpass" {
  type = "userpass"
}

import {
  for_each = setintersection(var.adopt_mounts, ["userpass"])
  to       = vault_auth_backend.userpass
  id       = each.value
}

# By it vault-plan asks OpenBao what the policies of a host allow. Its tokens are stored nowhere; an
# operator, who writes the policies of hosts, gets nothing by them that is not theirs already.
resource "vault_token_auth_backend_role" "vault_plan" {
  role_name             = "vault-plan"
  allowed_policies_glob = var.host_policies
  token_type            = "batch"
  orphan                = true
  renewable             = false
}

resource "vault_policy" "operator" {
  name   = "operator"
  policy = <<-EOT
    # Hosts: what create-host and OpenTofu's hosts-generated.tf make, change and remove.
    path "sys/policies/acl/host-*" {
      capabilities = ["read", "update", "delete"]
    }
    path "auth/${var.approle_mount}/role/" {
      capabilities = ["list"]
    }
    path "auth/${var.approle_mount}/role/+" {
      capabilities = ["create", "read", "update", "delete"]
    }
    path "auth/${var.approle_mount}/role/+/role-id" {
      capabilities = ["read"]
    }
    path "auth/${var.approle_mount}/role/+/secret-id" {
      capabilities = ["update"]
    }
    path "auth/${var.approle_mount}/role/+/secret-id/" {
      capabilities = ["list"]
    }
    path "auth/${var.approle_mount}/role/+/secret-id-accessor/lookup" {
      capabilities = ["update"]
    }
    path "auth/${var.approle_mount}/role/+/secret-id-accessor/destroy" {
      capabilities = ["update"]
    }
    path "sys/mounts/auth/${var.approle_mount}" {
      capabilities = ["read"]
    }
    path "sys/mounts/auth/${var.approle_mount}/tune" {
      capabilities = ["read"]
    }
    path "sys/wrapping/wrap" {
      capabilities = ["update"]
    }

    # Their secrets: written by people, compared by vault-plan. Nothing here destroys a version.
    path "${var.kv_mount}/data/hosts/*" {
      capabilities = ["create", "read", "update", "patch"]
    }
    path "${var.kv_mount}/undelete/hosts/*" {
      capabilities = ["update"]
    }
    path "${var.kv_mount}/metadata/hosts/*" {
      capabilities = ["list", "read"]
    }

    # What hosts may do: vault-plan reads the policies of their roles, entities and groups, and has OpenBao
    # tell what these allow, of batch tokens that the token role below makes.
    path "sys/policies/acl/" {
      capabilities = ["list"]
    }
    path "sys/policies/acl/+" {
      capabilities = ["read"]
    }
    path "identity/lookup/entity" {
      capabilities = ["update"]
    }
    path "identity/group/id/+" {
      capabilities = ["read"]
    }
    path "auth/token/roles/vault-plan" {
      capabilities = ["read"]
    }
    path "auth/token/create/vault-plan" {
      capabilities = ["update"]
    }
    path "sys/capabilities" {
      capabilities = ["update"]
    }

    # The cluster: how it is, another leader, a node that is gone for good.
    path "sys/ha-status" {
      capabilities = ["read"]
    }
    path "sys/storage/raft/configuration" {
      capabilities = ["read"]
    }
    path "sys/storage/raft/autopilot/state" {
      capabilities = ["read"]
    }
    path "sys/storage/raft/remove-peer" {
      capabilities = ["update"]
    }
    path "sys/step-down" {
      capabilities = ["update", "sudo"]
    }

    # Its keys. The first two groups do nothing without three people's key shares.
    path "sys/generate-root-token/attempt" {
      capabilities = ["read", "update", "delete"]
    }
    path "sys/generate-root-token/update" {
      capabilities = ["update"]
    }
    path "sys/rotate/root/init" {
      capabilities = ["read", "update", "delete"]
    }
    path "sys/rotate/root/update" {
      capabilities = ["update"]
    }
    path "sys/rotate/root/verify" {
      capabilities = ["read", "update", "delete"]
    }
    path "sys/rotate/keyring" {
      capabilities = ["update", "sudo"]
    }
    path "sys/key-status" {
      capabilities = ["read"]
    }
  EOT
}
