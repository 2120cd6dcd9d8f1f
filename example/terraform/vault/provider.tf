# VAULT_ADDR, VAULT_TOKEN, VAULT_CACERT and VAULT_NAMESPACE come from the environment: create-host
# sets them; by hand they are the same values as the BAO_ ones. No token belongs in these files.
provider "vault" {
  # The token is used as it is: making a child of it is a right that the work here does not need.
  skip_child_token = true
}
