output "user_data" {
  description = "cloud-init user-data: a `#cloud-config` document."
  value       = "#cloud-config\n${yamlencode(local.user_data)}"
  sensitive   = true
}

output "meta_data" {
  description = "NoCloud meta-data. The instance id is the host's name: a new token does not make it a new instance."
  value = yamlencode({
    instance-id    = var.hostname
    local-hostname = var.hostname
  })
}
