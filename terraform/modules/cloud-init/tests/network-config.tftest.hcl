variables {
  hostname   = "web01"
  ip         = "10.0.0.20/24"
  vault_addr = "https://10.0.0.10:8200"
}

run "address_alone" {
  assert {
    condition = yamldecode(output.network_config).ethernets.primary == {
      match     = { name = "e*" }
      dhcp4     = false
      addresses = ["10.0.0.20/24"]
    }
    error_message = "a host without gateway and nameservers gets neither"
  }
}

run "gateway_and_nameservers" {
  variables {
    gateway     = "10.0.0.1"
    nameservers = ["10.0.0.2", "10.0.0.3"]
    domain      = "example.internal"
  }

  assert {
    condition     = yamldecode(output.network_config).ethernets.primary.routes == [{ to = "0.0.0.0/0", via = "10.0.0.1" }]
    error_message = "the default route is wrong"
  }

  assert {
    condition = yamldecode(output.network_config).ethernets.primary.nameservers == {
      addresses = ["10.0.0.2", "10.0.0.3"]
      search    = ["example.internal"]
    }
    error_message = "the nameservers are wrong"
  }
}

run "ipv6_gets_its_own_default_route" {
  variables {
    ip      = "fd00::20/64"
    gateway = "fd00::1"
  }

  assert {
    condition     = yamldecode(output.network_config).ethernets.primary.routes == [{ to = "::/0", via = "fd00::1" }]
    error_message = "the default route is wrong"
  }
}
