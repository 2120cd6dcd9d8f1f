# A value that could write lines of its own into /etc/environment, or that no guest could use,
# is refused before anything is rendered.

variables {
  hostname   = "web01"
  vault_addr = "https://openbao.example.internal:8200"
}

run "token_with_a_newline" {
  command = plan
  variables {
    vault_wrapped_token = "s.token\nPATH=/tmp"
  }
  expect_failures = [var.vault_wrapped_token]
}

run "empty_token" {
  command = plan
  variables {
    vault_wrapped_token = ""
  }
  expect_failures = [var.vault_wrapped_token]
}

run "address_with_a_newline" {
  command = plan
  variables {
    vault_addr = "https://openbao.example.internal:8200\nPATH=/tmp"
  }
  expect_failures = [var.vault_addr]
}

run "namespace_with_a_newline" {
  command = plan
  variables {
    vault_namespace = "prod\nPATH=/tmp"
  }
  expect_failures = [var.vault_namespace]
}

run "address_with_a_space" {
  command = plan
  variables {
    vault_addr = "https://openbao.example.internal:8200, https://openbao2.example.internal:8200"
  }
  expect_failures = [var.vault_addr]
}

run "address_without_a_scheme" {
  command = plan
  variables {
    vault_addr = "openbao.example.internal:8200"
  }
  expect_failures = [var.vault_addr]
}

run "hostname_with_a_dot" {
  command = plan
  variables {
    hostname = "web01.example"
  }
  expect_failures = [var.hostname]
}

run "hostname_in_capitals" {
  command = plan
  variables {
    hostname = "WEB01"
  }
  expect_failures = [var.hostname]
}
