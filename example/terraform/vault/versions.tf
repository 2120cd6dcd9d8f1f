terraform {
  required_version = ">= 1.11" # values that no state holds

  required_providers {
    vault = {
      source  = "hashicorp/vault" # speaks OpenBao's API too
      version = ">= 5.7, < 6.0"
    }
  }
}
