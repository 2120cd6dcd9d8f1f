# No providers: rendering needs none, and OpenTofu can then test this module offline.
terraform {
  required_version = ">= 1.8"
}
