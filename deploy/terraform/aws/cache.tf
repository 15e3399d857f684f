# ElastiCache for Valkey, as docs/operations.md wants Redis, as far as it goes: README.md says what it does not promise.

locals {
  parameters = {
    # The default, volatile-lru, would forget channels.
    "maxmemory-policy" = "noeviction"
    # In bytes and seconds.
    "client-output-buffer-limit-pubsub-hard-limit"   = "268435456"
    "client-output-buffer-limit-pubsub-soft-limit"   = "67108864"
    "client-output-buffer-limit-pubsub-soft-seconds" = "60"
    # With a single replica its loss would stop publishing too.
    "min-replicas-to-write" = var.cache_nodes > 2 ? "1" : "0"
    "min-replicas-max-lag"  = "10"
    "timeout"               = "0"
  }
}

resource "aws_elasticache_parameter_group" "valkey" {
  name        = "${var.name}-valkey8"
  family      = "valkey8"
  description = "Valkey as the backplane of Holdfast"

  dynamic "parameter" {
    for_each = local.parameters
    content {
      name  = parameter.key
      value = parameter.value
    }
  }
}

resource "aws_elasticache_subnet_group" "valkey" {
  name       = var.name
  subnet_ids = module.vpc.private_subnets
}

resource "aws_security_group" "valkey" {
  name        = "${var.name}-valkey"
  description = "Valkey, for the machines of the cluster"
  vpc_id      = module.vpc.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "valkey" {
  security_group_id            = aws_security_group.valkey.id
  description                  = "From pods"
  referenced_security_group_id = module.eks.node_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
}

resource "random_password" "valkey" {
  for_each = toset(["default", "holdfast"])

  length = 64
  # It is part of a URL.
  special = false
}

resource "aws_elasticache_user" "holdfast" {
  user_id       = "${var.name}-holdfast"
  user_name     = "holdfast"
  engine        = "valkey"
  access_string = "on ~holdfast:* resetchannels &holdfast:* -@all +@read +@write +@pubsub +@connection -@dangerous +eval +evalsha +time +info"
  passwords     = [random_password.valkey["holdfast"].result]
}

# Nobody is this one.
resource "aws_elasticache_user" "default" {
  user_id       = "${var.name}-default"
  user_name     = "default"
  engine        = "valkey"
  access_string = "off ~* -@all"
  passwords     = [random_password.valkey["default"].result]
}

resource "aws_elasticache_user_group" "holdfast" {
  user_group_id = var.name
  engine        = "valkey"
  user_ids      = [aws_elasticache_user.default.user_id, aws_elasticache_user.holdfast.user_id]
}

resource "aws_elasticache_replication_group" "valkey" {
  replication_group_id = var.name
  description          = "Backplane of Holdfast"

  engine               = "valkey"
  engine_version       = "8.0"
  node_type            = var.cache_node_type
  port                 = 6379
  parameter_group_name = aws_elasticache_parameter_group.valkey.name

  num_cache_clusters         = var.cache_nodes
  automatic_failover_enabled = true
  multi_az_enabled           = true

  subnet_group_name          = aws_elasticache_subnet_group.valkey.name
  security_group_ids         = [aws_security_group.valkey.id]
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  at_rest_encryption_enabled = true
  user_group_ids             = [aws_elasticache_user_group.holdfast.user_group_id]

  snapshot_retention_limit = 7
  apply_immediately        = true
}
