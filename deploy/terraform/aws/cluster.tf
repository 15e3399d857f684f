# VPC, Kubernetes, and what makes a network load balancer of the chart's Service.

data "aws_availability_zones" "here" {
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  zones = slice(data.aws_availability_zones.here.names, 0, var.zones)
}

module "vpc" {
  source  = "terraform-aws-modules/vpc/aws"
  version = "~> 6.0"

  name = var.name
  cidr = var.cidr
  azs  = local.zones
  # A quarter of the addresses for pods and machines of each zone, a 64th for load balancers.
  private_subnets = [for index in range(var.zones) : cidrsubnet(var.cidr, 2, index)]
  public_subnets  = [for index in range(var.zones) : cidrsubnet(var.cidr, 6, 48 + index)]

  enable_nat_gateway = true
  single_nat_gateway = var.single_nat_gateway

  public_subnet_tags  = { "kubernetes.io/role/elb" = 1 }
  private_subnet_tags = { "kubernetes.io/role/internal-elb" = 1 }
}

module "eks" {
  source  = "terraform-aws-modules/eks/aws"
  version = "~> 21.0"

  name               = var.name
  kubernetes_version = var.kubernetes_version

  endpoint_public_access       = length(var.admin_cidrs) > 0
  endpoint_public_access_cidrs = var.admin_cidrs

  enable_cluster_creator_admin_permissions = true

  vpc_id     = module.vpc.vpc_id
  subnet_ids = module.vpc.private_subnets

  addons = {
    coredns                = {}
    kube-proxy             = {}
    eks-pod-identity-agent = { before_compute = true }
    vpc-cni = {
      before_compute = true
      # Without it the network policy of the chart does nothing.
      configuration_values = jsonencode({ enableNetworkPolicy = "true" })
    }
  }

  eks_managed_node_groups = {
    main = {
      ami_type       = "AL2023_x86_64_STANDARD"
      instance_types = var.instance_types
      min_size       = var.machines.min
      max_size       = var.machines.max
      desired_size   = var.machines.initial
    }
  }
}

module "load_balancer_role" {
  source  = "terraform-aws-modules/eks-pod-identity/aws"
  version = "~> 2.0"

  name                            = "${var.name}-lb"
  attach_aws_lb_controller_policy = true

  associations = {
    controller = {
      cluster_name    = module.eks.cluster_name
      namespace       = "kube-system"
      service_account = "aws-load-balancer-controller"
    }
  }
}

resource "helm_release" "load_balancer_controller" {
  name       = "aws-load-balancer-controller"
  namespace  = "kube-system"
  repository = "https://aws.github.io/eks-charts"
  chart      = "aws-load-balancer-controller"
  version    = var.load_balancer_controller_version

  values = [yamlencode({
    clusterName    = module.eks.cluster_name
    region         = var.region
    vpcId          = module.vpc.vpc_id
    serviceAccount = { create = true, name = "aws-load-balancer-controller" }
  })]

  depends_on = [module.eks, module.load_balancer_role]
}

resource "helm_release" "argocd" {
  name             = "argocd"
  namespace        = "argocd"
  create_namespace = true
  repository       = "https://argoproj.github.io/argo-helm"
  chart            = "argo-cd"
  version          = var.argocd_version

  values = [yamlencode({
    dex    = { enabled = false }
    server = { service = { type = "ClusterIP" } }
    configs = {
      cm = {
        "resource.customizations.health.argoproj.io_Application" = file("${path.module}/../../argocd/application-health.lua")
      }
    }
  })]

  # Its Services pass the webhook of the other.
  depends_on = [helm_release.load_balancer_controller]
}
