variable "approle_mount" {
  description = "Path of the AppRole auth method; the same as `openbao.approle_mount` in fleet.toml."
  type        = string
  default     = "approle"
}

variable "kv_mount" {
  description = "Path of the KV version 2 secrets engine; the same as `openbao.kv_mount` in fleet.toml."
  type        = string
  default     = "secret"
}

variable "domain" {
  description = "DNS domain that the internal PKI signs names of; the same as `network.domain` in fleet.toml."
  type        = string
  default     = "example.internal"
}

variable "adopt_mounts" {
  description = "Mounts that OpenBao has already and that are taken over, by path: a development server has `secret`, an older one perhaps `approle`."
  type        = set(string)
  default     = []
}
