# An internal certificate authority for the fleet's own names. Its key is made inside OpenBao and
# never leaves it.

resource "vault_mount" "pki" {
  path                      = "pki"
  type                      = "pki"
  description               = "internal certificate authority"
  default_lease_ttl_seconds = 30 * 24 * 3600
  max_lease_ttl_seconds     = 10 * 365 * 24 * 3600
}

resource "vault_pki_secret_backend_root_cert" "internal" {
  backend     = vault_mount.pki.path
  type        = "internal"
  common_name = "${var.domain} internal authority"
  ttl         = 10 * 365 * 24 * 3600
  key_type    = "ec"
  key_bits    = 256

  # A new root would have to be trusted by every host: never by accident.
  lifecycle {
    prevent_destroy = true
  }
}

resource "vault_pki_secret_backend_role" "hosts" {
  backend            = vault_mount.pki.path
  name               = "hosts"
  allowed_domains    = [var.domain]
  allow_subdomains   = true
  allow_bare_domains = false
  key_type           = "ec"
  key_bits           = 256
  max_ttl            = 30 * 24 * 3600
}
