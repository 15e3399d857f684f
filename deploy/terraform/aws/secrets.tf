# The four secrets that deploy/external-secrets fetches, and who may fetch them.

resource "random_bytes" "key" {
  for_each = toset(["sig-key", "resume-key", "publisher"])

  length = 32
}

locals {
  secret_names = toset(["sig-key", "resume-key", "redis-url", "control-keys"])
  secrets = {
    "sig-key"    = "base64:${random_bytes.key["sig-key"].base64}"
    "resume-key" = "base64:${random_bytes.key["resume-key"].base64}"
    "redis-url"  = "rediss://holdfast:${random_password.valkey["holdfast"].result}@${aws_elasticache_replication_group.valkey.primary_endpoint_address}:6379"
    # One publisher, who signs its requests: ?iss=publisher&key=base64:… in its GRIP_URL.
    "control-keys" = yamlencode([{
      id    = "publisher"
      iss   = "publisher"
      key   = "base64:${random_bytes.key["publisher"].base64}"
      allow = ["publish"]
    }])
  }
}

resource "aws_secretsmanager_secret" "holdfast" {
  for_each = local.secret_names

  name                    = "${var.name}/${each.key}"
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "holdfast" {
  for_each = local.secret_names

  secret_id     = aws_secretsmanager_secret.holdfast[each.key].id
  secret_string = local.secrets[each.key]
}

resource "aws_iam_role" "external_secrets" {
  name = "${var.name}-external-secrets"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
    }]
  })
}

resource "aws_iam_role_policy" "external_secrets" {
  name = "read"
  role = aws_iam_role.external_secrets.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
      Resource = [for secret in aws_secretsmanager_secret.holdfast : secret.arn]
    }]
  })
}

resource "aws_eks_pod_identity_association" "external_secrets" {
  cluster_name    = module.eks.cluster_name
  namespace       = "external-secrets"
  service_account = "external-secrets"
  role_arn        = aws_iam_role.external_secrets.arn
}
