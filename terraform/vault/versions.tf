terraform {
  required_version = ">= 1.8"

  required_providers {
    vault = {
      source  = "hashicorp/vault" # speaks OpenBao's API too
      version = ">= 4.5, < 6.0"
    }
  }
}
