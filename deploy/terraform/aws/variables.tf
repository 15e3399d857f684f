variable "region" {
  description = "AWS region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is the name of one, such as eu-central-1."
  }
}

variable "name" {
  description = "Name of the cluster, of the cache and of all that belongs to them; secrets are below it."
  type        = string
  default     = "holdfast"

  validation {
    # That of a replication group is the shortest: 40 characters.
    condition     = can(regex("^[a-z]([a-z0-9]|-[a-z0-9]){0,30}$", var.name)) && length(var.name) <= 30
    error_message = "name has at most 30 lower-case letters, digits and single hyphens, a letter first."
  }
}

variable "tags" {
  description = "Tags for everything."
  type        = map(string)
  default     = {}
}

variable "cidr" {
  description = "Addresses of the VPC. Pods have addresses of it."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]) <= 18, false)
    error_message = "cidr is an IPv4 network of /18 or larger."
  }
}

variable "zones" {
  description = "Availability zones."
  type        = number
  default     = 3

  validation {
    condition     = contains([2, 3], var.zones)
    error_message = "zones is 2 or 3: EKS and the failover of the cache need two."
  }
}

variable "single_nat_gateway" {
  description = "One NAT gateway for all zones: cheaper, and gone with its zone. Held clients do not go through it."
  type        = bool
  default     = true
}

variable "kubernetes_version" {
  description = "Release of Kubernetes."
  type        = string
  default     = "1.35"

  validation {
    condition     = can(regex("^1\\.(2[89]|[3-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version is 1.28 or later, without a patch level."
  }
}

variable "admin_cidrs" {
  description = "Who may reach the Kubernetes API from outside. Empty: nobody, and Terraform has to run within the VPC."
  type        = list(string)

  validation {
    condition     = alltrue([for cidr in var.admin_cidrs : can(cidrhost(cidr, 0)) && !endswith(cidr, "/0")])
    error_message = "admin_cidrs are networks such as 203.0.113.0/24, and not the whole Internet."
  }
}

variable "instance_types" {
  description = "Types of the machines, x86_64. Holdfast uses one core for each worker."
  type        = list(string)
  default     = ["m6i.large"]

  validation {
    condition     = length(var.instance_types) > 0
    error_message = "instance_types is empty."
  }
}

variable "machines" {
  description = "Machines: how many at first, at least and at most."
  type        = object({ initial = number, min = number, max = number })
  default     = { initial = 2, min = 2, max = 6 }

  validation {
    condition     = var.machines.min >= 2 && var.machines.min <= var.machines.initial && var.machines.initial <= var.machines.max
    error_message = "machines: 2 <= min <= initial <= max."
  }
}

variable "cache_node_type" {
  description = "Type of the cache's nodes. docs/operations.md says how much memory channels and history take."
  type        = string
  default     = "cache.t4g.small"

  validation {
    condition     = startswith(var.cache_node_type, "cache.")
    error_message = "cache_node_type begins with cache."
  }
}

variable "cache_nodes" {
  description = "Nodes of the cache: a primary and its replicas. From 3 on a primary without a replica refuses publishes."
  type        = number
  default     = 2

  validation {
    condition     = var.cache_nodes >= 2 && var.cache_nodes <= 6
    error_message = "cache_nodes is 2 to 6: without a replica there is no failover."
  }
}

variable "argocd_version" {
  description = "Version of the chart argo-cd of https://argoproj.github.io/argo-helm"
  type        = string
  default     = "8.3.0"
}

variable "load_balancer_controller_version" {
  description = "Version of the chart aws-load-balancer-controller of https://aws.github.io/eks-charts"
  type        = string
  default     = "1.12.0"
}
