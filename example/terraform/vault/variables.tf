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

variable "host_policies" {
  description = "Policies that hosts have, with `*` for anything: of these vault-plan can tell what they allow. An operator may have tokens with them."
  type        = set(string)
  default     = ["host-*"]

  validation {
    condition     = !contains(var.host_policies, "*")
    error_message = "`*` would give operators every policy."
  }
}

variable "kubernetes_clusters" {
  description = "Kubernetes clusters whose workloads read secrets (docs/how-to/kubernetes.md). The name is the path of the auth method and the folder of the cluster's secrets; `namespaces` are those that may log in; raise `reviewer_token_version` with each new reviewer's token."
  type = map(object({
    host                   = string
    ca_certificate         = string
    namespaces             = set(string)
    reviewer_token_version = optional(number, 1)
  }))
  default = {}

  validation {
    condition     = !contains(keys(var.kubernetes_clusters), "hosts")
    error_message = "No cluster can be called `hosts`: that folder is the hosts'."
  }

  validation {
    condition     = alltrue([for cluster in var.kubernetes_clusters : length(cluster.namespaces) > 0 && !anytrue([for name in cluster.namespaces : strcontains(name, "*")])])
    error_message = "`namespaces` names each namespace that may log in: at least one, and no `*`."
  }
}

variable "kubernetes_reviewer_tokens" {
  description = "By cluster: the token that OpenBao asks its API server with. Neither plan nor state hold it; TF_VAR_kubernetes_reviewer_tokens keeps it out of files and arguments."
  type        = map(string)
  default     = {}
  sensitive   = true
  ephemeral   = true
}
