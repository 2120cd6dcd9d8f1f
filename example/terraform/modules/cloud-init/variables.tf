variable "hostname" {
  description = "Name of the host, one DNS label."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.hostname))
    error_message = "The hostname must be one DNS label: lower-case letters, digits and inner hyphens, at most 63."
  }
}

variable "domain" {
  description = "DNS domain of the host; null for none."
  type        = string
  default     = null
}

variable "vault_addr" {
  description = "Address of OpenBao as the guest reaches it; several, separated by commas, are tried in order."
  type        = string

  # /etc/environment has no quoting that all its readers agree on, so nothing that needs any.
  validation {
    condition     = can(regex("^https?://[^\\s\"'\\\\$#`,]+(,https?://[^\\s\"'\\\\$#`,]+)*$", var.vault_addr))
    error_message = "The vault_addr must be an http:// or https:// address, or several separated by commas, without spaces or quotes."
  }
}

variable "vault_namespace" {
  description = "Namespace of OpenBao that the guest uses; empty for the root namespace."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*)?$", var.vault_namespace))
    error_message = "The vault_namespace must be the path of a namespace: letters, digits, dots, hyphens and underscores, with single slashes between the parts."
  }
}

variable "vault_wrapped_token" {
  description = "Wrapping token that holds the host's AppRole credentials; null once they are on the host."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.vault_wrapped_token == null || can(regex("^[A-Za-z0-9._-]+$", var.vault_wrapped_token))
    error_message = "The vault_wrapped_token must be a token as create-host writes it: letters, digits, dots, hyphens and underscores."
  }
}

variable "vault_skip_verify" {
  description = "Let the guest take any TLS certificate from OpenBao."
  type        = bool
  default     = false
}
