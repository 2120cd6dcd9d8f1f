# `tofu test` in this module's folder: what a guest would be handed, taken apart again.

variables {
  hostname            = "web01"
  vault_addr          = "https://openbao.example.internal:8200"
  vault_wrapped_token = "s.wrappingtoken"
}

run "user_data_is_a_cloud_config_document" {
  assert {
    condition     = startswith(output.user_data, "#cloud-config\n")
    error_message = "cloud-init ignores user-data that does not begin with #cloud-config"
  }

  assert {
    condition     = yamldecode(output.user_data).hostname == "web01"
    error_message = "the user-data names another host"
  }
}

run "address_and_token_reach_etc_environment" {
  assert {
    condition     = [for file in yamldecode(output.user_data).write_files : file.path] == ["/etc/environment"]
    error_message = "exactly one file is written"
  }

  assert {
    condition = yamldecode(output.user_data).write_files[0].content == join("", [
      "\n",
      "VAULT_ADDR=https://openbao.example.internal:8200\n",
      "VAULT_WRAPPED_TOKEN=s.wrappingtoken\n",
    ])
    error_message = "the lines in /etc/environment are not the expected ones"
  }
}

run "the_namespace_reaches_etc_environment" {
  variables {
    vault_namespace = "teams/prod"
  }

  assert {
    condition     = strcontains(yamldecode(output.user_data).write_files[0].content, "\nVAULT_NAMESPACE=teams/prod\n")
    error_message = "the guest would use the root namespace"
  }
}

run "existing_lines_stay_and_others_cannot_read" {
  assert {
    condition     = yamldecode(output.user_data).write_files[0].append == true
    error_message = "/etc/environment would be overwritten"
  }

  assert {
    condition     = yamldecode(output.user_data).write_files[0].permissions == "0600"
    error_message = "the wrapping token would be readable by every user"
  }

  assert {
    condition     = yamldecode(output.user_data).write_files[0].owner == "root:root"
    error_message = "/etc/environment would not belong to root"
  }
}

run "skip_verify_only_where_asked_for" {
  variables {
    vault_skip_verify = true
  }

  assert {
    condition     = strcontains(yamldecode(output.user_data).write_files[0].content, "\nVAULT_SKIP_VERIFY=true\n")
    error_message = "VAULT_SKIP_VERIFY was asked for and is missing"
  }
}

run "a_host_that_has_its_credentials_gets_no_token" {
  variables {
    vault_wrapped_token = null
  }

  assert {
    condition     = yamldecode(output.user_data).write_files[0].content == "\nVAULT_ADDR=https://openbao.example.internal:8200\n"
    error_message = "only the address belongs in /etc/environment"
  }
}

run "several_addresses_are_kept_in_order" {
  variables {
    vault_addr = "https://[fd00::10]:8200,https://bao.example.internal"
  }

  assert {
    condition     = strcontains(yamldecode(output.user_data).write_files[0].content, "VAULT_ADDR=https://[fd00::10]:8200,https://bao.example.internal\n")
    error_message = "the list of addresses was changed"
  }
}

run "domain_makes_the_full_name" {
  variables {
    domain = "example.internal"
  }

  assert {
    condition     = yamldecode(output.user_data).fqdn == "web01.example.internal"
    error_message = "the full name is wrong"
  }
}

run "the_token_makes_the_instance" {
  assert {
    condition = yamldecode(output.meta_data) == {
      "instance-id"    = "web01-${substr(sha256("s.wrappingtoken"), 0, 8)}"
      "local-hostname" = "web01"
    }
    error_message = "the meta-data is not the expected one"
  }

  assert {
    condition     = !strcontains(output.meta_data, "wrappingtoken")
    error_message = "the meta-data gives the token away"
  }
}

run "a_new_token_is_a_new_instance" {
  variables {
    vault_wrapped_token = "s.another"
  }

  assert {
    condition     = yamldecode(output.meta_data).instance-id == "web01-${substr(sha256("s.another"), 0, 8)}"
    error_message = "cloud-init would not hand the new token over"
  }
}

run "without_a_token_the_name_is_the_instance" {
  variables {
    vault_wrapped_token = null
  }

  assert {
    condition     = yamldecode(output.meta_data).instance-id == "web01"
    error_message = "the meta-data is not the expected one"
  }
}
