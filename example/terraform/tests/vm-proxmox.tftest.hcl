# A new wrapping token reaches the snippet that a machine made later would read, and leaves the
# machines that run alone. The provider is mocked: only its schema is needed, no Proxmox.

mock_provider "proxmox" {
  mock_resource "proxmox_virtual_environment_file" {
    defaults = { id = "local:snippets/first.yaml" }
  }
}

run "machines_are_made" {
  override_module {
    target  = module.cloud_init
    outputs = { user_data = "with the first token", meta_data = "" }
  }

  assert {
    condition     = keys(proxmox_virtual_environment_vm.host) == ["db01", "ns1"]
    error_message = "there must be one machine for each entry in vms.tf"
  }
}

run "a_new_token_replaces_no_machine" {
  override_module {
    target  = module.cloud_init
    outputs = { user_data = "with the second token", meta_data = "" }
  }

  override_resource {
    target = proxmox_virtual_environment_file.user_data
    values = { id = "local:snippets/second.yaml" }
  }

  assert {
    condition     = proxmox_virtual_environment_file.user_data["ns1"].source_raw[0].data == "with the second token"
    error_message = "the snippet must follow vms.tf"
  }

  assert {
    condition     = proxmox_virtual_environment_file.user_data["ns1"].id == "local:snippets/second.yaml"
    error_message = "the snippet was not made anew, so this test proves nothing"
  }

  # A machine made anew would have the second one too.
  assert {
    condition     = proxmox_virtual_environment_vm.host["ns1"].initialization[0].user_data_file_id == "local:snippets/first.yaml"
    error_message = "a running machine was changed or replaced because of its user-data"
  }
}
