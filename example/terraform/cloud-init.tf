# The user-data of each guest for its first boot. The texts are made by a module without providers,
# so that OpenTofu alone can render and test them: see modules/cloud-init/tests.
module "cloud_init" {
  source   = "./modules/cloud-init"
  for_each = local.vms

  # A name may have its domain: `web01.example.org`.
  hostname = split(".", each.key)[0]
  domain   = try(each.value.domain, regex("[.](.+)$", each.key)[0], var.domain)

  vault_addr          = try(each.value.vault_addr, var.vault_addr)
  vault_namespace     = try(each.value.vault_namespace, var.vault_namespace)
  vault_wrapped_token = try(each.value.vault_wrapped_token, var.vault_wrapped_tokens[each.key], null)
  vault_skip_verify   = try(each.value.vault_skip_verify, var.vault_skip_verify)
}

output "user_data" {
  description = "cloud-init user-data by host; `tofu output -json user_data` shows it, wrapping tokens included."
  value       = { for host, rendered in module.cloud_init : host => rendered.user_data }
  sensitive   = true
}
