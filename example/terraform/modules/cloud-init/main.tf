locals {
  # cloud-init writes files once per instance id. A few digits of a hash say that a token is
  # another one, and nothing else about it.
  token_digest = nonsensitive(
    var.vault_wrapped_token == null ? null : substr(sha256(var.vault_wrapped_token), 0, 8)
  )
  instance_id = join("-", compact([var.hostname, local.token_digest]))

  # Both PAM and systemd read this file line by line as NAME=value.
  environment = concat(
    ["VAULT_ADDR=${var.vault_addr}"],
    var.vault_namespace == "" ? [] : ["VAULT_NAMESPACE=${var.vault_namespace}"],
    var.vault_wrapped_token == null ? [] : ["VAULT_WRAPPED_TOKEN=${var.vault_wrapped_token}"],
    var.vault_skip_verify ? ["VAULT_SKIP_VERIFY=true"] : [],
  )

  user_data = merge(
    {
      hostname = var.hostname
      write_files = [{
        path = "/etc/environment"
        # The existing lines stay. The newline in front keeps a last line that lacks its own apart
        # from ours; where a name comes twice, the later line counts.
        append  = true
        content = "\n${join("\n", local.environment)}\n"
        # By custom this file is 0644. Until `vault-unwrap` has taken it out, it holds a token
        # that is worth the host's credentials, so for root alone: PAM and systemd read it as root.
        owner       = "root:root"
        permissions = "0600"
      }]
    },
    var.domain == null ? {} : { fqdn = "${var.hostname}.${var.domain}" },
  )
}
