# The cache is as docs/operations.md wants it. Needs no account: terraform init && terraform test

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = {
      names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    }
  }
}

mock_provider "helm" {}

mock_provider "random" {}

override_module {
  target = module.vpc
  outputs = {
    vpc_id          = "vpc-1"
    private_subnets = ["subnet-1", "subnet-2", "subnet-3"]
  }
}

override_module {
  target = module.eks
  outputs = {
    cluster_name                       = "holdfast"
    cluster_endpoint                   = "https://kubernetes.test"
    cluster_certificate_authority_data = "dGVzdA=="
    node_security_group_id             = "sg-1"
  }
}

override_module {
  target = module.load_balancer_role
}

variables {
  region      = "eu-central-1"
  admin_cidrs = ["203.0.113.0/24"]
}

run "defaults" {
  command = plan

  assert {
    condition     = contains([for each in aws_elasticache_parameter_group.valkey.parameter : "${each.name}=${each.value}"], "maxmemory-policy=noeviction")
    error_message = "A full cache has to refuse publishes, and not to forget channels."
  }

  assert {
    condition     = aws_elasticache_replication_group.valkey.transit_encryption_enabled && aws_elasticache_replication_group.valkey.at_rest_encryption_enabled
    error_message = "The cache is not encrypted."
  }

  assert {
    condition     = aws_elasticache_replication_group.valkey.multi_az_enabled && aws_elasticache_replication_group.valkey.num_cache_clusters == 2
    error_message = "The cache has no replica in another zone."
  }

  assert {
    condition     = contains([for each in aws_elasticache_parameter_group.valkey.parameter : "${each.name}=${each.value}"], "min-replicas-to-write=0")
    error_message = "With one replica its loss would stop publishing."
  }
}

run "two_replicas" {
  command = plan

  variables {
    cache_nodes = 3
  }

  assert {
    condition     = contains([for each in aws_elasticache_parameter_group.valkey.parameter : "${each.name}=${each.value}"], "min-replicas-to-write=1")
    error_message = "A primary that is cut off from its replicas has to refuse publishes."
  }
}
