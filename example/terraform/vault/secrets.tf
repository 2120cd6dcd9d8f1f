# The hosts' secrets: <kv_mount>/hosts/<host>/<name>. Only the engine is made here; the values are
# written by people (`bao kv put`), never by OpenTofu, whose state would hold them in clear.

resource "vault_mount" "kv" {
  path        = var.kv_mount
  type        = "kv"
  description = "secrets of the fleet, one folder per host"
  options     = { version = "2" }
}

import {
  for_each = setintersection(var.adopt_mounts, [var.kv_mount])
  to       = vault_mount.kv
  id       = each.value
}
