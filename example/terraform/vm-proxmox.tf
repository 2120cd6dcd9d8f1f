# The virtual machines themselves, as an example for Proxmox VE. This file is the only one here
# that needs a provider: replace it for another hypervisor, or delete it, and the rest still works.
#
# Attributes it reads from vms.tf, each with a default: cores, memory (MiB), disk (GiB).

terraform {
  required_providers {
    proxmox = {
      source  = "bpg/proxmox"
      version = ">= 0.80, < 1.0"
    }
  }
}

# PROXMOX_VE_ENDPOINT and PROXMOX_VE_API_TOKEN come from the environment.
provider "proxmox" {}

variable "proxmox_node" {
  description = "Proxmox node that runs the machines."
  type        = string
  default     = "pve"
}

variable "proxmox_image" {
  description = "Disk image with NixOS and cloud-init, as Proxmox names it (datastore:content/file)."
  type        = string
  default     = "local:import/nixos.qcow2"
}

resource "proxmox_virtual_environment_file" "user_data" {
  for_each = local.vms

  content_type = "snippets"
  datastore_id = "local"
  node_name    = var.proxmox_node

  source_raw {
    file_name = "${each.key}-user-data.yaml"
    data      = module.cloud_init[each.key].user_data
  }
}

resource "proxmox_virtual_environment_file" "meta_data" {
  for_each = local.vms

  content_type = "snippets"
  datastore_id = "local"
  node_name    = var.proxmox_node

  source_raw {
    file_name = "${each.key}-meta-data.yaml"
    data      = module.cloud_init[each.key].meta_data
  }
}

resource "proxmox_virtual_environment_vm" "host" {
  for_each = local.vms

  name      = each.key
  node_name = var.proxmox_node

  cpu {
    cores = try(each.value.cores, 2)
    type  = "x86-64-v2-AES"
  }

  memory {
    dedicated = try(each.value.memory, 2048)
  }

  disk {
    interface   = "virtio0"
    import_from = var.proxmox_image
    size        = try(each.value.disk, 20)
  }

  network_device {
    bridge = "vmbr0"
  }

  operating_system {
    type = "l26"
  }

  initialization {
    user_data_file_id = proxmox_virtual_environment_file.user_data[each.key].id
    meta_data_file_id = proxmox_virtual_environment_file.meta_data[each.key].id

    ip_config {
      ipv4 {
        address = each.value.ip
        gateway = try(each.value.gateway, var.gateway)
      }
    }

    dns {
      domain  = try(each.value.domain, var.domain)
      servers = try(each.value.nameservers, var.nameservers)
    }
  }

  lifecycle {
    # A new wrapping token makes new snippets, which Proxmox reads when the machine is
    # next started. It must not replace or restart a machine that is running.
    ignore_changes = [initialization]
  }
}
