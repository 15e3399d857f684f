# Values that cannot work are refused before anything is made. Needs no account: terraform init && terraform test

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

run "region" {
  command         = plan
  expect_failures = [var.region]
  variables {
    region = "Frankfurt"
  }
}

run "name" {
  command         = plan
  expect_failures = [var.name]
  variables {
    name = "Hold_fast"
  }
}

run "cidr" {
  command         = plan
  expect_failures = [var.cidr]
  variables {
    cidr = "10.0.0.0/24"
  }
}

run "zones" {
  command         = plan
  expect_failures = [var.zones]
  variables {
    zones = 1
  }
}

run "kubernetes_version" {
  command         = plan
  expect_failures = [var.kubernetes_version]
  variables {
    kubernetes_version = "1.33.2"
  }
}

run "admin_cidrs" {
  command         = plan
  expect_failures = [var.admin_cidrs]
  variables {
    admin_cidrs = ["0.0.0.0/0"]
  }
}

run "instance_types" {
  command         = plan
  expect_failures = [var.instance_types]
  variables {
    instance_types = []
  }
}

run "machines" {
  command         = plan
  expect_failures = [var.machines]
  variables {
    machines = { initial = 1, min = 1, max = 1 }
  }
}

run "cache_node_type" {
  command         = plan
  expect_failures = [var.cache_node_type]
  variables {
    cache_node_type = "t4g.small"
  }
}

run "cache_nodes" {
  command         = plan
  expect_failures = [var.cache_nodes]
  variables {
    cache_nodes = 1
  }
}
