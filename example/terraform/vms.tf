# One entry per virtual machine; `create-host` adds, changes and removes entries here.
#
#   ip                   the address with its prefix length
#   vault_wrapped_token  the single-use token that cloud-init hands to the guest, in a fleet that
#                        keeps tokens here; others have wrapping-tokens.auto.tfvars.json.
#
# Everything else in an entry is its owner's: see vm-proxmox.tf for what the example reads.
locals {
  vms = {
    "db01" = {
      ip     = "10.0.0.3/24"
      memory = 4096
    }

    "ns1" = {
      ip = "10.0.0.2/24"
    }
  }
}
