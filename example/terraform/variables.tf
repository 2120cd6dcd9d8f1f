# The fleet's own settings. They say the same as fleet.toml, which OpenTofu cannot read:
# change both. A single VM differs by an attribute of the same name in vms.tf.

variable "vault_addr" {
  description = "Address of OpenBao as the guests reach it; several, separated by commas, are tried in order."
  type        = string
  default     = "https://openbao.example.internal:8200"
}

variable "vault_namespace" {
  description = "Namespace of OpenBao with the guests' secrets and roles; empty for the root namespace."
  type        = string
  default     = ""
}

variable "vault_skip_verify" {
  description = "Let guests take any TLS certificate. For a laboratory only: whoever answers gets the wrapping token."
  type        = bool
  default     = false
}

variable "gateway" {
  description = "Default gateway of the guests."
  type        = string
  default     = "10.0.0.1"
}

variable "nameservers" {
  description = "DNS servers of the guests."
  type        = list(string)
  default     = ["10.0.0.1"]
}

variable "domain" {
  description = "DNS domain of the guests."
  type        = string
  default     = "example.internal"
}

variable "vault_wrapped_tokens" {
  description = "Wrapping tokens by host, which create-host writes to wrapping-tokens.auto.tfvars.json."
  type        = map(string)
  default     = {}
  sensitive   = true
}
