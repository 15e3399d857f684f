output "kubectl" {
  description = "Makes kubectl speak to the cluster."
  value       = "aws eks update-kubeconfig --region ${var.region} --name ${module.eks.cluster_name}"
}

output "argocd" {
  description = "Shows Argo CD on https://127.0.0.1:8080; the first password is in the Secret argocd-initial-admin-secret."
  value       = "kubectl -n argocd port-forward service/argocd-server 8080:443"
}

output "cache" {
  description = "Address of the cache's primary, for TLS."
  value       = "${aws_elasticache_replication_group.valkey.primary_endpoint_address}:6379"
}

output "secrets" {
  description = "Names of the secrets in AWS Secrets Manager."
  value       = sort([for secret in aws_secretsmanager_secret.holdfast : secret.name])
}

output "vpc_id" {
  description = "The VPC, for what else belongs into it."
  value       = module.vpc.vpc_id
}
