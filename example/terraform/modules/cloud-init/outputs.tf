output "user_data" {
  description = "cloud-init user-data: a `#cloud-config` document."
  value       = "#cloud-config\n${yamlencode(local.user_data)}"
  sensitive   = true
}

output "meta_data" {
  description = "NoCloud meta-data. A new token is a new instance to cloud-init, which hands it over on the next boot; nothing else about the machine changes."
  value = yamlencode({
    instance-id    = local.instance_id
    local-hostname = var.hostname
  })
}
